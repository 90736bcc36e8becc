// SPDX-License-Identifier: Apache-2.0
/*
 * What the servers on Asio share. Sockets are of the io_context's own executor type, so that no
 * call goes through a type-erased executor; the io_context is told that one thread runs it.
 */
#pragma once

#include "../../common/server.h"

#include <boost/asio.hpp>

namespace server
{

namespace asio = boost::asio;
using executor = asio::io_context::executor_type;
using acceptor = asio::basic_socket_acceptor<asio::ip::tcp, executor>;
using tcp_socket = asio::basic_stream_socket<asio::ip::tcp, executor>;

// Accepts for ever; `serve` gets each socket.
template <typename Serve> void accept_all(acceptor &acceptor, Serve serve)
{
	acceptor.async_accept([&acceptor, serve](boost::system::error_code err, tcp_socket socket) {
		if (!err) {
			socket.set_option(asio::ip::tcp::no_delay(true));
			serve(std::move(socket));
		}
		accept_all(acceptor, serve);
	});
}

template <typename Serve> int run(int argc, char **argv, Serve serve)
{
	server_opts opts;

	server_parse(argc, argv, &opts);
	asio::io_context io{ 1 };
	acceptor acceptor(io, asio::ip::tcp::v4(), server_listen(&opts));
	accept_all(acceptor, serve);
	io.run();
	return 0;
}

} // namespace server
