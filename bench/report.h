// What a run of kvbench says: where it was made, tables for people, JSON for programs, and a page
// with plots that needs nothing else.
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

namespace starling::bench {

using Json = nlohmann::ordered_json;

struct Table {
  std::string title;
  std::vector<std::string> columns;  // the first is text, the others are numbers
  std::vector<std::vector<std::string>> rows;
  std::string note{};
};

// A group of bars for each label, one bar for each series; whiskers where low < high.
struct Bar {
  double value = 0;
  double low = 0;
  double high = 0;
};
struct BarPlot {
  std::string title;
  std::vector<std::string> labels;
  std::vector<std::string> series;
  std::vector<std::vector<Bar>> bars;  // [label][series]
  double reference = 0;                // a line at this value; 0: none
};

// Lines over a logarithmic x.
struct LinePlot {
  std::string title;
  std::string x;
  std::string y;
  struct Line {
    std::string name;
    std::vector<std::pair<double, double>> points;
  };
  std::vector<Line> lines;
};

struct Report {
  std::string title;
  Json results = Json::object();  // joins what every run says of itself
  std::vector<Table> tables{};
  std::vector<BarPlot> bars{};
  std::vector<LinePlot> lines{};
  std::vector<std::string> notes{};
  bool failed = false;  // figures were printed, but something did not work
};

// machine, commit, build, command, date
[[nodiscard]] Json run_info(const std::string& command);
[[nodiscard]] std::string machine();
[[nodiscard]] std::string commit();

void print_text(const Report& report, const std::string& command);
void print_json(const Report& report, const std::string& command);
// Writes DIR/<title>.html and returns its path. Throws Failure.
std::filesystem::path write_html(const Report& report, const std::string& command,
                                 const std::filesystem::path& directory);

// 1234567 as "1.2M" and the like, in at most five characters.
[[nodiscard]] std::string short_number(double value);

}  // namespace starling::bench
