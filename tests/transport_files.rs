//! Running out of file descriptors. Alone in its file: the limit holds for the whole process.
#![cfg(target_os = "linux")]

mod transport_toy;

use std::{
    fs::File,
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use mock_sse::server::ServerConfig;
use rustix::process::{Resource, getrlimit, setrlimit};
use transport_toy::{soon, start};

#[tokio::test]
async fn running_out_of_files_is_survived() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = Some(64);
    setrlimit(Resource::Nofile, limit).unwrap();
    let server = start(ServerConfig::default()).await;
    // Nothing is accepted before this test awaits: the connection waits in the backlog.
    let mut tcp = TcpStream::connect(server.addr).unwrap();
    tcp.write_all(b"GET /hello HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n")
        .unwrap();
    let mut files = Vec::new();
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    tcp.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert!(tcp.read(&mut [0]).is_err(), "nothing can be accepted");
    drop(files);
    tcp.set_read_timeout(None).unwrap();
    let answer = tokio::task::spawn_blocking(move || {
        let mut text = String::new();
        tcp.read_to_string(&mut text).map(|_| text)
    });
    assert!(soon(answer).await.unwrap().unwrap().ends_with("hello"));
}
