// SPDX-License-Identifier: Apache-2.0

//! The echo server in Tokio: a task for each connection, on the runtime of a single thread.
//!
//!     echo_tokio [--port=N]

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Builder;

async fn echo(mut stream: TcpStream) -> std::io::Result<()> {
    let mut buffer = [0; 512];
    stream.set_nodelay(true)?;
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        stream.write_all(&buffer[..count]).await?;
    }
}

async fn serve(port: u16) -> std::io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("port {}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(echo(stream));
    }
}

fn main() -> std::io::Result<()> {
    let port = std::env::args()
        .find_map(|word| word.strip_prefix("--port=").map(|text| text.parse().expect("a port")))
        .unwrap_or(0);
    Builder::new_current_thread().enable_all().build()?.block_on(serve(port))
}
