// Properties checked on random cases: a sentence, a number of cases, a function that asserts.
// STARLING_DEEP=1 (`./dev test --deep`) runs a hundred times as many, the sanitizers a tenth. A
// failure prints the shrunk case and a line for RC_PARAMS that reproduces it.
#pragma once

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <string_view>

#include <doctest/doctest.h>
#include <rapidcheck.h>
#include <rapidcheck/detail/TestListenerAdapter.h>

namespace starling::test {

inline int cases(int normal) {
  const char* deep = std::getenv("STARLING_DEEP");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  normal /= 10;  // a case takes twenty times as long
#endif
  return deep != nullptr && std::string_view(deep) != "0" ? normal * 100 : normal;
}

template <typename Property>
void check_property(const std::string& sentence, int normal_cases, Property&& property) {
  rc::detail::TestMetadata metadata;
  metadata.id = sentence;
  metadata.description = sentence;
  rc::detail::TestParams params = rc::detail::configuration().testParams;
  params.maxSuccess = cases(normal_cases);
  rc::detail::TestListenerAdapter quiet;
  const auto start = std::chrono::steady_clock::now();
  const auto result =
      rc::detail::checkProperty(rc::detail::toProperty(std::forward<Property>(property)), metadata,
                                params, quiet, rc::detail::configuration().reproduce);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  std::ostringstream report;
  rc::detail::printResultMessage(result, report);
  CHECK_MESSAGE(result.template is<rc::detail::SuccessResult>(), sentence, ": ", report.str());
  std::cout << sentence << ": " << params.maxSuccess << " cases, " << took.count() << " s, seed "
            << params.seed << '\n';
}

}  // namespace starling::test
