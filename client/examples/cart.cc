// A shopping cart in one atomic batch, read at another node with the session of the writer.
// usage: cart [HOST:PORT [OTHER_HOST:PORT]]
#include <iostream>

#include <starling/client.h>

int main(int argc, char** argv) {
  const std::string here = argc > 1 ? argv[1] : "127.0.0.1:7001";
  const std::string there = argc > 2 ? argv[2] : here;
  starling::Client client(here);

  // All of it becomes visible at once, here and everywhere, or none of it.
  starling::Batch order;
  order.set("cart:7").add({"apples", "pears"});
  order.hash("cart:7:info").set("city", "London");
  order.flag("cart:7:open").enable();
  const auto orders = order.counter("orders").add(1);
  const auto reply = client.run(order);
  if (!reply) {
    std::cerr << name(reply.error().code) << ": " << reply.error().message << "\n";
    return 1;
  }
  std::cout << "orders so far: " << reply->get(orders).value() << "\n";

  // Another node may not have heard of it yet. The token makes it wait until it has.
  starling::Client reader({.endpoints = {there}, .token = client.token()});
  const auto items = reader.set("cart:7").members();
  if (!items) {
    std::cerr << items.error().message << "\n";
    return 1;
  }
  for (const std::string& item : *items) {
    std::cout << "in the cart: " << item << "\n";
  }
}
