//! The threads that read streams over HTTP/1.1. What belongs here: one loop a thread over the
//! sockets that have something, with as little as possible around each read, since a run must
//! measure the server and not its client.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};

use mio::{Events, Interest, Poll, Token, Waker};
use tokio::sync::oneshot;

use super::board::{Board, Ending};
use super::desk::{Desk, Findings, Inbox};
use super::error::LoadError;
use super::http1::{CUT_OFF, feed};
use super::tls::Tls;
use crate::client::body::Body;
use crate::client::connect::describe;

/// What one read may bring. One buffer serves all streams of a thread.
const SPACE: usize = 256 * 1024;
/// Sockets that one look at the kernel may name.
const MOST_READY: usize = 1024;
/// Reads of a socket that has more than fits, before the others have their turn.
const MOST_READS: usize = 4;

const WAKE: Token = Token(usize::MAX);

/// A stream whose head has come.
pub struct Arrival {
    pub tcp: std::net::TcpStream,
    pub tls: Option<Tls>,
    pub body: Body,
    /// What came behind the head already.
    pub rest: Vec<u8>,
}

enum Order {
    Take(Box<Arrival>),
    Finish(oneshot::Sender<Findings>),
}

/// Gives streams to one of the threads. When the last one is dropped, the thread ends, and its
/// streams are closed.
#[derive(Clone)]
pub struct Reader {
    orders: Option<Sender<Order>>,
    waker: Arc<Waker>,
}

impl Reader {
    /// Starts a thread that has no streams yet.
    pub fn start(board: &Arc<Board>) -> Result<Self, LoadError> {
        let failed = |error: io::Error| LoadError::Threads {
            why: error.to_string(),
        };
        let poll = Poll::new().map_err(failed)?;
        let waker = Waker::new(poll.registry(), WAKE).map_err(failed)?;
        let (orders, incoming) = channel();
        let hall = Hall {
            poll,
            incoming,
            desk: Desk::new(board.clone()),
            places: Vec::new(),
            space: vec![0; SPACE],
            busy: Vec::new(),
        };
        std::thread::Builder::new()
            .name("load-reader".to_owned())
            .spawn(|| hall.run())
            .map_err(failed)?;
        Ok(Self {
            orders: Some(orders),
            waker: Arc::new(waker),
        })
    }

    /// Hands a stream over.
    pub fn take(&self, arrival: Arrival) {
        self.order(Order::Take(Box::new(arrival)));
    }

    /// Ends the thread and returns what it has counted.
    pub async fn finish(self) -> Findings {
        let (findings, incoming) = oneshot::channel();
        self.order(Order::Finish(findings));
        // The thread answers unless it panicked, and then there is nothing to be had.
        incoming.await.unwrap_or_default()
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            let _ = orders.send(order);
        }
        // Fails only when the thread is gone.
        let _ = self.waker.wake();
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // First, so that the thread sees that nobody is left.
        self.orders = None;
        let _ = self.waker.wake();
    }
}

/// One thread's streams.
struct Hall {
    poll: Poll,
    incoming: Receiver<Order>,
    desk: Desk,
    places: Vec<Place>,
    space: Vec<u8>,
    /// Places that have more to read than they were allowed at once.
    busy: Vec<usize>,
}

/// A stream, and after its end only what it received.
#[derive(Default)]
struct Place {
    open: Option<Open>,
    inbox: Inbox,
}

struct Open {
    tcp: mio::net::TcpStream,
    tls: Option<Tls>,
    body: Body,
}

/// What a turn at a socket led to.
enum Turn {
    /// It is empty.
    Read,
    /// It may have more.
    More,
    Over(Ending),
}

impl Hall {
    fn run(mut self) {
        let mut events = Events::with_capacity(MOST_READY);
        loop {
            let wait = (!self.busy.is_empty()).then_some(std::time::Duration::ZERO);
            match self.poll.poll(&mut events, wait) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return,
                _ => {}
            }
            for at in std::mem::take(&mut self.busy) {
                self.turn(at, true);
            }
            let mut called = false;
            for event in &events {
                match event.token() {
                    WAKE => called = true,
                    // Behind an end no other event comes that would ask for another read.
                    Token(at) => self.turn(at, event.is_read_closed() || event.is_error()),
                }
            }
            if called && let Some(answer) = self.obey() {
                if let Some(answer) = answer {
                    let inboxes = self.places.into_iter().map(|place| place.inbox);
                    let _ = answer.send(self.desk.findings(inboxes));
                }
                return;
            }
            self.desk.tell();
        }
    }

    /// Carries out all orders; `Some` when the last one has come, with whom it is to be told.
    fn obey(&mut self) -> Option<Option<oneshot::Sender<Findings>>> {
        loop {
            match self.incoming.try_recv() {
                Ok(Order::Take(arrival)) => self.admit(*arrival),
                Ok(Order::Finish(answer)) => return Some(Some(answer)),
                Err(TryRecvError::Empty) => return None,
                Err(TryRecvError::Disconnected) => return Some(None),
            }
        }
    }

    fn admit(&mut self, arrival: Arrival) {
        let at = self.places.len();
        let Arrival { tcp, tls, body, rest } = arrival;
        let mut open = Open {
            tcp: mio::net::TcpStream::from_std(tcp),
            tls,
            body,
        };
        let mut inbox = Inbox::default();
        let first = open.first(&rest, &mut inbox, &mut self.desk);
        let readable = Interest::READABLE;
        let turn = match first {
            Turn::Over(ending) => Turn::Over(ending),
            // Told at once if there is something to read already.
            turn => match self.poll.registry().register(&mut open.tcp, Token(at), readable) {
                Ok(()) => turn,
                Err(error) => Turn::Over(Ending::Broken(describe(&error))),
            },
        };
        let open = Some(open);
        self.places.push(Place { open, inbox });
        self.after(at, turn);
    }

    fn turn(&mut self, at: usize, to_end: bool) {
        let Some(Place {
            open: Some(open),
            inbox,
        }) = self.places.get_mut(at)
        else {
            return;
        };
        let turn = open.turn(to_end, &mut self.space, inbox, &mut self.desk);
        self.after(at, turn);
    }

    fn after(&mut self, at: usize, turn: Turn) {
        match turn {
            Turn::Read => {}
            Turn::More => self.busy.push(at),
            Turn::Over(ending) => {
                let place = &mut self.places[at];
                // Closed by being dropped.
                place.open = None;
                self.desk.end(&place.inbox, ending);
            }
        }
    }
}

impl Open {
    /// Takes what was read together with the head.
    fn first(&mut self, rest: &[u8], inbox: &mut Inbox, desk: &mut Desk) -> Turn {
        let mut ending = self.plain(rest, inbox, desk);
        if let (None, Some(tls)) = (&ending, &mut self.tls) {
            let (body, moment) = (&mut self.body, desk.moment());
            let held = tls.held(|bytes| ending = feed(body, bytes, inbox, desk, &moment));
            if let (None, Err(why)) = (&ending, held) {
                ending = Some(Ending::Broken(why));
            }
        }
        ending.map_or(Turn::Read, Turn::Over)
    }

    /// Reads until the socket is empty; `to_end`: even if a read brought less than there was room
    /// for, which otherwise shows that it is.
    fn turn(&mut self, to_end: bool, space: &mut [u8], inbox: &mut Inbox, desk: &mut Desk) -> Turn {
        for _ in 0..MOST_READS {
            let length = match self.tcp.read(space) {
                Ok(0) => return Turn::Over(self.closed()),
                Ok(length) => length,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Turn::Read,
                    io::ErrorKind::Interrupted => continue,
                    _ => return Turn::Over(Ending::Broken(describe(&error))),
                },
            };
            let bytes = &space[..length];
            let ending = match &self.tls {
                None => self.plain(bytes, inbox, desk),
                Some(_) => self.sealed(bytes, inbox, desk),
            };
            if let Some(ending) = ending {
                return Turn::Over(ending);
            }
            if length < space.len() && !to_end {
                return Turn::Read;
            }
        }
        Turn::More
    }

    fn plain(&mut self, bytes: &[u8], inbox: &mut Inbox, desk: &mut Desk) -> Option<Ending> {
        let moment = desk.moment();
        feed(&mut self.body, bytes, inbox, desk, &moment)
    }

    fn sealed(&mut self, bytes: &[u8], inbox: &mut Inbox, desk: &mut Desk) -> Option<Ending> {
        let (tls, moment) = (self.tls.as_mut()?, desk.moment());
        let (body, mut ending) = (&mut self.body, None);
        let opened = tls.open(bytes, &mut self.tcp, |bytes| {
            if ending.is_none() {
                ending = feed(body, bytes, inbox, desk, &moment);
            }
        });
        match (ending, opened) {
            (Some(ending), _) => Some(ending),
            (None, Err(why)) => Some(Ending::Broken(why)),
            (None, Ok(false)) => None,
            (None, Ok(true)) => Some(self.closed()),
        }
    }

    /// The server has closed the connection.
    fn closed(&self) -> Ending {
        match &self.tls {
            Some(tls) if !tls.said_goodbye() => Ending::Broken("the server closed the connection".to_owned()),
            _ if self.body.may_close() => Ending::Clean,
            _ => Ending::Broken(CUT_OFF.to_owned()),
        }
    }
}
