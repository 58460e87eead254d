#include "provision/reader.hpp"

#include "wire/limits.hpp"
#include "wire/names.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace tunnel::provision {
namespace {

std::size_t line_of(const toml::node& node) {
  return node.source().begin.line;
}

/// What is wrong with one text of the file, or "".
std::string text_problem(const toml::node& node, const Check& check) {
  const auto* text = node.as_string();
  if (text == nullptr) return "must be a text in quotes";
  if (!wire::is_plain_text(text->get(), file_bytes_max)) return "holds a control character";
  return check(text->get());
}

}  // namespace

/// @return false
bool Reader::add(std::size_t line, std::string_view key, std::string why) {
  if (problems_->size() < problems_max)
    problems_->push_back(
        {line, prefix_ + wire::to_plain_text(key, wire::site_chars_max), std::move(why)});
  return false;
}

const toml::node* Reader::find(std::string_view key, Need need) {
  const auto* node = table_->get(key);
  if (node == nullptr && need == Need::yes) add(0, key, "is missing");
  return node;
}

void Reader::only(std::initializer_list<std::string_view> known, std::string_view where) {
  for (const auto& [key, value] : *table_)
    if (std::find(known.begin(), known.end(), key.str()) == known.end())
      add(line_of(value), key.str(),
          fmt::format("is not known {}; known are: {}", where, fmt::join(known, ", ")));
}

bool Reader::text(std::string_view key, std::string& out, Need need, const Check& check) {
  const auto* node = find(key, need);
  if (node == nullptr) return need == Need::no;
  if (auto why = text_problem(*node, check); !why.empty())
    return add(line_of(*node), key, std::move(why));
  out = node->as_string()->get();
  return true;
}

void Reader::texts(std::string_view key, std::vector<std::string>& out, Need need, std::size_t most,
                   const Check& check) {
  const auto* node = find(key, need);
  if (node == nullptr) return;
  const auto* list = node->as_array();
  if (list == nullptr || list->size() > most || (need == Need::yes && list->empty())) {
    add(line_of(*node), key,
        fmt::format("must be a list of {} to {} texts, like [\"...\", \"...\"]",
                    need == Need::yes ? 1 : 0, most));
    return;
  }
  for (const auto& item : *list) {
    if (auto why = text_problem(item, check); !why.empty())
      add(line_of(item), key, std::move(why));
    else
      out.push_back(item.as_string()->get());
  }
}

void Reader::format(std::int64_t expected) {
  const auto* node = find("format", Need::yes);
  if (node == nullptr || node->value_exact<std::int64_t>() == expected) return;
  add(line_of(*node), "format", fmt::format("must be {}: this software knows no other", expected));
}

Reader Reader::section(std::string_view key) {
  static const toml::table none;
  const auto* node = table_->get(key);
  const auto* table = node == nullptr ? &none : node->as_table();
  if (table == nullptr) add(line_of(*node), key, fmt::format("must be a section: [{}]", key));
  return {table == nullptr ? none : *table, fmt::format("[{}] ", key), *problems_};
}

}  // namespace tunnel::provision
