// A hundred coroutines on one connection: their requests are pipelined. usage: async [HOST:PORT]
#include <iostream>

#include <asio/co_spawn.hpp>
#include <asio/io_context.hpp>
#include <asio/use_awaitable.hpp>
#include <starling/async_client.h>

asio::awaitable<bool> write_and_read(starling::AsyncClient* client, int number) {
  const auto page = client->string("page:" + std::to_string(number));
  const auto written = co_await page.set("text of page " + std::to_string(number));
  const auto text = co_await page.get();
  co_return written.has_value() && text.has_value() && text->has_value();
}

int main(int argc, char** argv) {
  asio::io_context context;
  starling::AsyncClient client(context.get_executor(),
                               {.endpoints = {argc > 1 ? argv[1] : "127.0.0.1:7001"}});
  int open = 100;
  int good = 0;
  for (int number = 0; number < 100; ++number) {
    asio::co_spawn(context, write_and_read(&client, number),
                   [&](const std::exception_ptr&, bool fine) {
                     good += fine ? 1 : 0;
                     if (--open == 0) {
                       context.stop();
                     }
                   });
  }
  context.run();
  std::cout << good << " of 100 pages written and read\n";
  return good == 100 ? 0 : 1;
}
