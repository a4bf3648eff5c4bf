#include "bench/report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <string_view>
#include <thread>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "bench/failure.h"

namespace starling::bench {
namespace {

constexpr std::string_view style = R"(
body { font: 15px/1.5 system-ui, sans-serif; margin: 2em auto; max-width: 70em; padding: 0 1em; color: #222; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.88em; }
th, td { padding: 0.25em 0.7em; border-bottom: 1px solid #ddd; text-align: right; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; } dt { float: left; width: 6em; color: #777; } dd { margin-left: 7em; }
svg { max-width: 100%; height: auto; } svg text { font: 12px system-ui, sans-serif; fill: #333; }
)";
constexpr std::string_view colours[] = {"#2f6db5", "#c8553d", "#4a8f5a", "#8a6bb0", "#b58a2f"};

std::string_view colour(std::size_t i) { return colours[i % std::size(colours)]; }

std::string html_text(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&':
        safe += "&amp;";
        break;
      case '<':
        safe += "&lt;";
        break;
      case '>':
        safe += "&gt;";
        break;
      case '"':
        safe += "&quot;";
        break;
      default:
        safe += c;
    }
  }
  return safe;
}

// Characters, not bytes: µ has two.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u; }));
}

std::string padded_cell(const std::string& text, std::size_t width, bool left) {
  const std::string space(width - std::min(width, width_of(text)), ' ');
  return left ? text + space : space + text;
}

void print_table(const Table& table) {
  std::vector<std::size_t> widths;
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    std::size_t width = width_of(table.columns[i]);
    for (const auto& row : table.rows) {
      width = std::max(width, width_of(row[i]));
    }
    widths.push_back(width);
  }
  const auto print_row = [&](const std::vector<std::string>& row) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      line += (i == 0 ? "" : "  ") + padded_cell(row[i], widths[i], i == 0);
    }
    fmt::print("{}\n", line);
  };
  fmt::print("{}\n", table.title);
  print_row(table.columns);
  for (const auto& row : table.rows) {
    print_row(row);
  }
  if (!table.note.empty()) {
    fmt::print("{}\n", table.note);
  }
  fmt::print("\n");
}

// A number at which a scale may end: 1, 2 or 5 times a power of ten, not below `value`.
double round_up(double value) {
  if (value <= 0) {
    return 1;
  }
  const double power = std::pow(10, std::floor(std::log10(value)));
  for (const double step : {1.0, 2.0, 5.0}) {
    if (value <= step * power) {
      return step * power;
    }
  }
  return 10 * power;
}

std::string legend(const std::vector<std::string>& names, double x, double y) {
  std::string svg;
  for (std::size_t i = 0; i < names.size(); ++i) {
    svg += fmt::format(
        R"(<rect x="{:.0f}" y="{:.0f}" width="12" height="12" fill="{}"/><text x="{:.0f}" y="{:.0f}">{}</text>)",
        x, y - 10, colour(i), x + 17, y, html_text(names[i]));
    x += 40 + 7.5 * static_cast<double>(width_of(names[i]));
  }
  return svg;
}

std::string bar_svg(const BarPlot& plot) {
  constexpr double left = 260;
  constexpr double width = 620;
  constexpr double thick = 13;
  const double group = thick * static_cast<double>(plot.series.size()) + 9;
  const double height = group * static_cast<double>(plot.labels.size());
  double most = plot.reference * 1.05;
  for (const auto& bars : plot.bars) {
    for (const Bar& bar : bars) {
      most = std::max({most, bar.value, bar.high});
    }
  }
  const double end = round_up(most);
  const auto x_of = [&](double value) { return left + width * value / end; };
  std::string svg = fmt::format(R"(<svg viewBox="0 0 {:.0f} {:.0f}" role="img">)",
                                left + width + 70, height + 60);
  for (int i = 0; i <= 4; ++i) {
    const double value = end * i / 4;
    svg += fmt::format(
        R"(<line x1="{0:.1f}" y1="0" x2="{0:.1f}" y2="{1:.0f}" stroke="#e4e4e4"/><text x="{0:.1f}" y="{2:.0f}" text-anchor="middle">{3}</text>)",
        x_of(value), height, height + 16, short_number(value));
  }
  for (std::size_t i = 0; i < plot.labels.size(); ++i) {
    const double top = group * static_cast<double>(i) + 4;
    svg += fmt::format(R"(<text x="{:.0f}" y="{:.1f}" text-anchor="end">{}</text>)", left - 8,
                       top + (group - 9) / 2 + 4, html_text(plot.labels[i]));
    for (std::size_t s = 0; s < plot.bars[i].size(); ++s) {
      const Bar& bar = plot.bars[i][s];
      const double y = top + thick * static_cast<double>(s);
      svg +=
          fmt::format(R"(<rect x="{:.0f}" y="{:.1f}" width="{:.1f}" height="{:.0f}" fill="{}"/>)",
                      left, y, x_of(bar.value) - left, thick - 2, colour(s));
      if (bar.low < bar.high) {
        svg += fmt::format(
            R"(<line x1="{:.1f}" y1="{:.1f}" x2="{:.1f}" y2="{:.1f}" stroke="#222" stroke-width="2"/>)",
            x_of(bar.low), y + thick / 2 - 1, x_of(bar.high), y + thick / 2 - 1);
      }
      svg += fmt::format(R"(<text x="{:.1f}" y="{:.1f}">{}</text>)",
                         x_of(std::max(bar.value, bar.high)) + 5, y + thick - 3,
                         short_number(bar.value));
    }
  }
  if (plot.reference > 0) {
    svg += fmt::format(
        R"(<line x1="{0:.1f}" y1="0" x2="{0:.1f}" y2="{1:.0f}" stroke="#222" stroke-dasharray="4 3"/>)",
        x_of(plot.reference), height);
  }
  return svg + legend(plot.series, left, height + 44) + "</svg>";
}

std::string line_svg(const LinePlot& plot) {
  constexpr double left = 70;
  constexpr double width = 720;
  constexpr double height = 260;
  double most = 0;
  double first = 1e300;
  double last = 0;
  std::vector<std::string> names;
  for (const auto& line : plot.lines) {
    names.push_back(line.name);
    for (const auto& [x, y] : line.points) {
      most = std::max(most, y);
      first = std::min(first, x);
      last = std::max(last, x);
    }
  }
  if (last <= 0) {
    return "<p>nothing was measured</p>";
  }
  const double end = round_up(most);
  const double from = std::log10(first);
  const double range = std::max(std::log10(last) - from, 1e-9);
  const auto x_of = [&](double x) { return left + width * (std::log10(x) - from) / range; };
  const auto y_of = [&](double y) { return 12 + height * (1 - y / end); };
  std::string svg = fmt::format(R"(<svg viewBox="0 0 {:.0f} {:.0f}" role="img">)",
                                left + width + 60, height + 90);
  for (int i = 0; i <= 4; ++i) {
    const double value = end * i / 4;
    svg += fmt::format(
        R"(<line x1="{0:.0f}" y1="{1:.1f}" x2="{2:.0f}" y2="{1:.1f}" stroke="#e4e4e4"/><text x="{3:.0f}" y="{4:.1f}" text-anchor="end">{5}</text>)",
        left, y_of(value), left + width, left - 8, y_of(value) + 4, short_number(value));
  }
  for (double x = std::pow(10, std::ceil(from)); x <= last * 1.0001; x *= 10) {
    svg += fmt::format(R"(<text x="{:.1f}" y="{:.0f}" text-anchor="middle">{}</text>)", x_of(x),
                       height + 30, short_number(x));
  }
  svg += fmt::format(R"(<text x="{:.0f}" y="{:.0f}" text-anchor="middle">{}; y: {}</text>)",
                     left + width / 2, height + 50, html_text(plot.x), html_text(plot.y));
  for (std::size_t i = 0; i < plot.lines.size(); ++i) {
    std::string points;
    for (const auto& [x, y] : plot.lines[i].points) {
      points += fmt::format("{:.1f},{:.1f} ", x_of(x), y_of(y));
      svg += fmt::format(R"(<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"/>)", x_of(x), y_of(y),
                         colour(i));
    }
    svg += fmt::format(R"(<polyline points="{}" fill="none" stroke="{}" stroke-width="2"/>)",
                       points, colour(i));
  }
  return svg + legend(names, left, height + 78) + "</svg>";
}

std::string html_table(const Table& table) {
  std::string html = "<h2>" + html_text(table.title) + "</h2><div class=\"wide\"><table><tr>";
  for (const std::string& column : table.columns) {
    html += "<th>" + html_text(column) + "</th>";
  }
  html += "</tr>\n";
  for (const auto& row : table.rows) {
    html += "<tr>";
    for (const std::string& cell : row) {
      html += "<td>" + html_text(cell) + "</td>";
    }
    html += "</tr>\n";
  }
  return html + "</table></div>\n" +
         (table.note.empty() ? "" : "<p>" + html_text(table.note) + "</p>\n");
}

std::string processor() {
  std::ifstream info("/proc/cpuinfo");
  for (std::string line; std::getline(info, line);) {
    if (line.starts_with("model name")) {
      return line.substr(line.find(':') + 2);
    }
  }
  return "unknown processor";
}

// An info value as people read it.
std::string plain(const Json& value) {
  return value.is_string() ? value.get<std::string>() : value.dump();
}

}  // namespace

std::string short_number(double value) {
  const double size = std::abs(value);
  if (size >= 999.5e6) {
    return fmt::format("{:.3g}G", value / 1e9);
  }
  if (size >= 999.5e3) {
    return fmt::format("{:.3g}M", value / 1e6);
  }
  if (size >= 1e4) {
    return fmt::format("{:.3g}k", value / 1e3);
  }
  return size >= 100 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

std::string machine() {
  return fmt::format("{}, {} cores", processor(), std::thread::hardware_concurrency());
}

std::string commit() { return STARLING_COMMIT; }

Json run_info(const std::string& command) {
  return {{"machine", machine()},
          {"commit", commit()},
          {"build", STARLING_BUILD_TYPE},
          {"command", command},
          {"date", fmt::format("{:%Y-%m-%d %H:%M:%S}Z", fmt::gmtime(std::time(nullptr)))}};
}

void print_text(const Report& report, const std::string& command) {
  const Json info = run_info(command);  // items() refers to it
  for (const auto& [name, value] : info.items()) {
    fmt::print("{:<8} {}\n", name, plain(value));
  }
  fmt::print("\n");
  for (const Table& table : report.tables) {
    print_table(table);
  }
  for (const std::string& note : report.notes) {
    fmt::print("{}\n", note);
  }
}

void print_json(const Report& report, const std::string& command) {
  Json out = run_info(command);
  out.update(report.results);
  out["notes"] = report.notes;
  fmt::print("{}\n", out.dump());
}

std::filesystem::path write_html(const Report& report, const std::string& command,
                                 const std::filesystem::path& directory) {
  std::string html = fmt::format(
      "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title>"
      "<style>{1}</style>\n<h1>{0}</h1>\n<dl>",
      html_text("kvbench " + report.title), style);
  const Json info = run_info(command);  // items() refers to it
  for (const auto& [name, value] : info.items()) {
    html += "<dt>" + html_text(name) + "</dt><dd>" + html_text(plain(value)) + "</dd>\n";
  }
  html += "</dl>\n";
  for (const std::string& note : report.notes) {
    html += "<p>" + html_text(note) + "</p>\n";
  }
  for (const BarPlot& plot : report.bars) {
    html += "<h2>" + html_text(plot.title) + "</h2>" + bar_svg(plot) + "\n";
  }
  for (const LinePlot& plot : report.lines) {
    html += "<h2>" + html_text(plot.title) + "</h2>" + line_svg(plot) + "\n";
  }
  for (const Table& table : report.tables) {
    html += html_table(table);
  }
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  const std::filesystem::path path = directory / (report.title + ".html");
  std::ofstream file(path);
  file << html << "</html>\n";
  file.close();
  if (!file) {
    throw Failure("cannot write " + path.string(), "name a directory that can be written");
  }
  return path;
}

}  // namespace starling::bench
