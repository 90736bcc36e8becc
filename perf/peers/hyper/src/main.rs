// SPDX-License-Identifier: Apache-2.0

//! HTTP in Tokio, by hyper: a task for each connection, on the runtime of a single thread. Module
//! `http` is what differs between hyper 0.14 (Debian 12) and 1 (Debian 13).
//!
//!     http_tokio [--port=N]

mod http;

use tokio::net::TcpListener;
use tokio::runtime::Builder;

async fn serve(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("port {}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        tokio::spawn(http::serve(stream));
    }
}

fn main() -> std::io::Result<()> {
    let port = std::env::args()
        .find_map(|word| word.strip_prefix("--port=").map(|text| text.parse().expect("a port")))
        .unwrap_or(0);
    Builder::new_current_thread().enable_all().build()?.block_on(serve(port))
}
