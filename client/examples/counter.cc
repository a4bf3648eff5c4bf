// Counts visits and reads them back. usage: counter [HOST:PORT]
#include <iostream>

#include <starling/client.h>

int main(int argc, char** argv) {
  starling::Client client(argc > 1 ? argv[1] : "127.0.0.1:7001");

  // Concurrent increments on nodes that do not see each other all count. Each carries an operation
  // id, so when the library repeats one after a broken connection, it still counts once.
  for (int i = 0; i < 3; ++i) {
    const auto visits = client.counter("visits").add(1);
    if (!visits) {
      std::cerr << name(visits.error().code) << ": " << visits.error().message << "\n";
      return 1;
    }
    std::cout << "visit " << *visits << "\n";
  }

  const auto total = client.counter("visits").get();  // Result<std::optional<std::int64_t>>
  std::cout << "total " << total.value().value_or(0) << "\n";
}
