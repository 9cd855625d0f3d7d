//! The threads that open and read streams over HTTP/2, many to a connection. What belongs here:
//! a runtime a thread, so that streams of a connection never meet in a lock of ours.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, LocalSet};
use tokio::time::timeout;

use super::board::Board;
use super::desk::{Desk, Findings, Inbox};
use super::error::LoadError;
use super::http2;
use super::streams::Plan;

/// A thread with its connections; when this is dropped they are closed.
pub struct Sharer {
    finish: oneshot::Sender<oneshot::Sender<Findings>>,
}

/// What the tasks of a thread have in common.
struct Hall {
    plan: Arc<Plan>,
    desk: RefCell<Desk>,
    inboxes: RefCell<Vec<Rc<RefCell<Inbox>>>>,
}

impl Sharer {
    /// Starts a thread that opens connections with so many streams each.
    pub fn start(board: &Arc<Board>, plan: Arc<Plan>, connections: Vec<usize>) -> Result<Self, LoadError> {
        let failed = |error: std::io::Error| LoadError::Threads {
            why: error.to_string(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        let (finish, finished) = oneshot::channel();
        let desk = Desk::new(board.clone());
        let main = move || {
            let hall = Rc::new(Hall {
                plan,
                desk: RefCell::new(desk),
                inboxes: RefCell::default(),
            });
            let answer = LocalSet::new().block_on(&runtime, serve(&hall, connections, finished));
            if let (Some(answer), Some(hall)) = (answer, Rc::into_inner(hall)) {
                let inboxes = hall.inboxes.into_inner().into_iter().map(|inbox| inbox.take());
                let _ = answer.send(hall.desk.into_inner().findings(inboxes));
            }
        };
        std::thread::Builder::new()
            .name("load-reader".to_owned())
            .spawn(main)
            .map_err(failed)?;
        Ok(Self { finish })
    }

    /// Ends the thread and returns what it has counted.
    pub async fn finish(self) -> Findings {
        let (answer, findings) = oneshot::channel();
        // The thread answers unless it panicked, and then there is nothing to be had.
        let _ = self.finish.send(answer);
        findings.await.unwrap_or_default()
    }
}

/// Opens the connections and reads until it is told to finish; `None`: nobody asks any more.
async fn serve(
    hall: &Rc<Hall>,
    connections: Vec<usize>,
    finished: oneshot::Receiver<oneshot::Sender<Findings>>,
) -> Option<oneshot::Sender<Findings>> {
    let mut tasks = JoinSet::new();
    for streams in connections {
        tasks.spawn_local(many(hall.clone(), streams));
    }
    let answer = finished.await.ok();
    // All tasks are gone when this returns, and what they shared has one owner again.
    tasks.shutdown().await;
    answer
}

/// A connection with several streams, which end with it.
async fn many(hall: Rc<Hall>, streams: usize) {
    let mut tasks = JoinSet::new();
    let plan = &hall.plan;
    let Ok(permit) = plan.gate.acquire().await else {
        return;
    };
    let connecting = http2::connect(&plan.connector, streams, |connection| {
        tasks.spawn_local(async move {
            // Its error reaches each stream, too.
            let _ = connection.await;
        });
    });
    let sender = match timeout(plan.patience, connecting).await {
        Ok(Ok(sender)) => sender,
        Ok(Err(reason)) => return (0..streams).for_each(|_| plan.failed(reason.clone())),
        Err(_) => return (0..streams).for_each(|_| plan.failed("no answer in time".to_owned())),
    };
    let (heads, mut incoming) = mpsc::unbounded_channel::<()>();
    for _ in 0..streams {
        tasks.spawn_local(one(hall.clone(), sender.clone(), heads.clone()));
    }
    drop((heads, sender));
    // The permit is kept until all heads of this connection have come.
    while incoming.recv().await.is_some() {}
    drop(permit);
    while tasks.join_next().await.is_some() {}
}

/// One of several streams on a connection. `head` is dropped when its head has come or failed.
async fn one(hall: Rc<Hall>, sender: http2::Sender, head: mpsc::UnboundedSender<()>) {
    let plan = &hall.plan;
    match http2::open(sender, plan.http2.clone(), plan.patience).await {
        Err(reason) => plan.failed(reason),
        Ok(body) => {
            let inbox = Rc::new(RefCell::new(Inbox::default()));
            hall.inboxes.borrow_mut().push(inbox.clone());
            plan.opened();
            drop(head);
            http2::receive(body, &inbox, &hall.desk).await;
        }
    }
}
