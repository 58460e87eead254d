#include "audit/files.hpp"
#include "audit/reader.hpp"
#include "audit/verifier.hpp"
#include "config.hpp"
#include "ctl/audit_text.hpp"
#include "ctl/commands.hpp"
#include "sqlite_store.hpp"
#include "wire/names.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <memory>
#include <system_error>

namespace rdv::ctl {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

/// Owned by the options' app and its callbacks.
struct AuditArguments {
  std::vector<fs::path> files;
  std::string head, since;
  AuditFilter filter;
};

/// The files named, or those of the server's audit.
std::vector<fs::path> files_of(const Common& common, const AuditArguments& arguments) {
  if (!arguments.files.empty()) return arguments.files;
  const auto folder = audit_dir(load_config(common.config));
  auto files = audit_files(folder);
  if (files.empty())
    throw CommandError{"cannot read the audit", "there is none in " + folder.string(),
                       "it begins when rdv-server starts; name other files behind the command"};
  return files;
}

/// Says what can be done about files and configurations that cannot be read.
template <class Work>
void attempt_reading(Work work) try {
  work();
} catch (const ConfigError& e) {
  throw CommandError{"cannot read the audit", e.what(), "name the files behind the command"};
} catch (const StoreError& e) {
  throw CommandError{"cannot read the audit", e.what(), "try again as root"};
} catch (const std::system_error& e) {
  const bool denied = e.code() == std::errc::permission_denied;
  throw CommandError{"cannot read the audit", e.what(),
                     denied ? "only root and the user rdv may: sudo rdvctl audit ..." : ""};
}

/// The ends of the chain that were noted: by the server, when its own files are asked for, and by
/// the person.
std::vector<AuditHead> noted_heads(const Common& common, const AuditArguments& arguments) {
  std::vector<AuditHead> noted;
  if (!arguments.head.empty()) {
    noted.push_back(parse_audit_head(arguments.head));
    if (noted.back().sequence == 0)
      throw CommandError{"cannot verify the audit", "--head is no end of an audit",
                         "give it as rdvctl status shows it: a number, a colon, 64 digits"};
  }
  if (!arguments.files.empty()) return noted;
  const auto head = read_audit_head(StatePaths{load_config(common.config).state_dir}.store);
  if (head.sequence != 0) noted.push_back(head);
  return noted;
}

/// What was found out about a chain.
struct Finding {
  std::string where, why;  ///< "": it is unbroken
  std::uint64_t first = 0;
  AuditHead head;
  std::string last_time;
  std::size_t files = 0;
  std::vector<AuditHead> noted;
};

Finding verify(std::vector<fs::path> files, std::vector<AuditHead> noted) {
  AuditReader reader{std::move(files)};
  AuditVerifier verifier{noted};
  Finding finding{.noted = std::move(noted)};
  while (const auto line = reader.next()) {
    finding.why = verifier.take(*line);
    if (!finding.why.empty()) break;
  }
  if (finding.why.empty()) finding.why = verifier.finish();
  if (!finding.why.empty()) finding.where = reader.where();
  finding.first = verifier.first();
  finding.head = verifier.head();
  finding.last_time = verifier.record().time;
  finding.files = reader.files();
  return finding;
}

void print_json(const Finding& finding) {
  json noted = json::array();
  for (const auto& head : finding.noted)
    noted.push_back(head.str());
  const json facts{
      {"unbroken", finding.why.empty()}, {"where", finding.where}, {"why", finding.why},
      {"files", finding.files},          {"first", finding.first}, {"last", finding.head.sequence},
      {"head", finding.head.str()},      {"noted", noted}};
  fmt::print("{}\n", facts.dump(2));
}

void print_unbroken(const Finding& finding) {
  fmt::print("unbroken: records {} to {}, the last of {}, in {} file{}\n", finding.first,
             finding.head.sequence, finding.last_time, finding.files,
             finding.files == 1 ? "" : "s");
  for (const auto& noted : finding.noted)
    fmt::print("{} record {} that was noted\n",
               noted.sequence < finding.first ? "it begins behind the" : "it holds the",
               noted.sequence);
  if (finding.noted.empty())
    fmt::print("whether records are missing at its end is not known: no end was noted (--head)\n");
}

void run_verify(const Common& common, const AuditArguments& arguments) {
  // The end first: the server may be writing, and more than was noted is no harm.
  auto noted = noted_heads(common, arguments);
  const auto finding = verify(files_of(common, arguments), std::move(noted));
  if (common.json) print_json(finding);
  if (!finding.why.empty())
    throw CommandError{"the audit is broken", fmt::format("{}: {}", finding.where, finding.why),
                       fmt::format("what stands before is sound: up to record {}; compare the rest "
                                   "with a copy",
                                   finding.head.sequence)};
  if (!common.json) print_unbroken(finding);
}

void run_list(const Common& common, const AuditArguments& arguments) {
  auto filter = arguments.filter;
  if (!arguments.since.empty()) {
    const auto since = parse_since(arguments.since, tunnel::unix_now_ms());
    if (!since)
      throw CommandError{"cannot list the audit", "--since is no time",
                         "give it like \"2026-01-14 09:12\" (UTC), or so long ago: 90m, 12h, 30d"};
    filter.since = *since;
  }
  AuditReader reader{files_of(common, arguments)};
  std::string damaged;
  bool first = true;
  while (const auto line = reader.next()) {
    const auto read = read_audit_line(*line);
    const auto* record = std::get_if<AuditRecord>(&read);
    if (record == nullptr) {
      if (damaged.empty()) damaged = reader.where();
      continue;
    }
    if (!matches(*record, filter)) continue;
    if (common.json)
      fmt::print("{}{}", first ? "[\n" : ",\n", *line);
    else
      fmt::print("{}\n", audit_line_text(*record));
    first = false;
  }
  if (common.json) fmt::print("{}\n", first ? "[]" : "\n]");
  if (!damaged.empty())
    throw CommandError{"the audit is damaged", damaged + " is no record",
                       "see where it breaks first with: rdvctl audit verify"};
}

void add_files(CLI::App& command, AuditArguments& arguments) {
  command
      .add_option("files", arguments.files,
                  "Files of an audit, oldest first; default: all of this server's")
      ->type_name("FILE");
}

}  // namespace

void add_audit_commands(CLI::App& app, const Common& common) {
  auto& audit = *app.add_subcommand("audit", "Show and verify the record of what was done");
  audit.require_subcommand(1);
  const auto arguments = std::make_shared<AuditArguments>();
  auto* verify = audit.add_subcommand(
      "verify",
      "Say whether a record was changed, removed, moved or cut off, and which is the first");
  add_files(*verify, *arguments);
  verify->add_option("--head", arguments->head, "An end that rdvctl status showed before")
      ->type_name("NUMBER:HASH");
  verify->callback(
      [&common, arguments] { attempt_reading([&] { run_verify(common, *arguments); }); });
  auto* list = audit.add_subcommand("list", "Show the records, oldest first");
  add_files(*list, *arguments);
  list->add_option("--device", arguments->filter.device, "Only what concerns this device");
  list->add_option("--session", arguments->filter.session, "Only this session, 16 digits");
  list->add_option("--since", arguments->since,
                   "Only from then on: \"2026-01-14 09:12\" (UTC), or 90m, 12h, 30d ago");
  list->callback([&common, arguments] { attempt_reading([&] { run_list(common, *arguments); }); });
}

}  // namespace rdv::ctl
