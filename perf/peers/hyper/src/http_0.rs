// SPDX-License-Identifier: Apache-2.0

//! A connection by hyper 0.14. Answers to pipelined requests are flushed together.

use hyper::header::{HeaderValue, CONTENT_TYPE};
use hyper::server::conn::Http;
use hyper::service::service_fn;
use hyper::{Body, Method, Request, Response, StatusCode};
use std::convert::Infallible;
use tokio::net::TcpStream;

async fn hello(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let mut response = Response::new(Body::from("Hello, World!"));
    if request.method() != Method::GET || request.uri().path() != "/" {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    Ok(response)
}

pub async fn serve(stream: TcpStream) {
    let mut http = Http::new();
    http.http1_only(true).pipeline_flush(true);
    // The client's way to end a connection is an error here.
    let _ = http.serve_connection(stream, service_fn(hello)).await;
}
