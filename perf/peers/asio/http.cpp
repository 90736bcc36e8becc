// SPDX-License-Identifier: Apache-2.0
/*
 * HTTP by Boost.Beast, as its example http_server_async: a stream with a timeout of 30 s on each
 * request, a session that reads a message and writes one.
 */
#include "server.hpp"

#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <memory>
#include <optional>

namespace
{

namespace beast = boost::beast;
namespace http = beast::http;

class session : public std::enable_shared_from_this<session>
{
      public:
	explicit session(server::tcp_socket socket) : stream_(std::move(socket))
	{
	}

	void read()
	{
		request_ = {};
		stream_.expires_after(std::chrono::seconds(30));
		http::async_read(stream_, buffer_, request_,
			[self = shared_from_this()](beast::error_code err, std::size_t) {
				if (!err)
					self->answer();
			});
	}

      private:
	void answer()
	{
		bool is_known = request_.method() == http::verb::get && request_.target() == "/";

		response_ = { is_known ? http::status::ok : http::status::not_found,
			request_.version() };
		response_.keep_alive(request_.keep_alive());
		if (is_known) {
			response_.set(http::field::content_type, "text/plain");
			response_.body() = "Hello, World!";
		}
		response_.prepare_payload();
		http::async_write(stream_, response_,
			[self = shared_from_this()](beast::error_code err, std::size_t) {
				if (!err && self->response_.keep_alive())
					self->read();
			});
	}

	beast::basic_stream<server::asio::ip::tcp, server::executor> stream_;
	beast::flat_buffer buffer_;
	http::request<http::empty_body> request_;
	http::response<http::string_body> response_;
};

} // namespace

int main(int argc, char **argv)
{
	return server::run(argc, argv, [](server::tcp_socket socket) {
		std::make_shared<session>(std::move(socket))->read();
	});
}
