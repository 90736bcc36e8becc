// SPDX-License-Identifier: Apache-2.0
/*
 * The echo server on Asio, as its example async_tcp_echo_server: a session that its handlers keep
 * alive, whose memory Asio recycles. On epoll, or on io_uring where it is built so.
 */
#include "server.hpp"

#include <array>
#include <memory>

namespace
{

class session : public std::enable_shared_from_this<session>
{
      public:
	explicit session(server::tcp_socket socket) : socket_(std::move(socket))
	{
	}

	void read()
	{
		socket_.async_read_some(server::asio::buffer(data_),
			[self = shared_from_this()](
				boost::system::error_code err, std::size_t count) {
				if (!err)
					self->write(count);
			});
	}

      private:
	void write(std::size_t count)
	{
		server::asio::async_write(socket_, server::asio::buffer(data_, count),
			[self = shared_from_this()](boost::system::error_code err, std::size_t) {
				if (!err)
					self->read();
			});
	}

	server::tcp_socket socket_;
	std::array<char, 1024> data_;
};

} // namespace

int main(int argc, char **argv)
{
	return server::run(argc, argv, [](server::tcp_socket socket) {
		std::make_shared<session>(std::move(socket))->read();
	});
}
