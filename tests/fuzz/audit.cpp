#include "audit/verifier.hpp"
#include "base/bytes.hpp"
#include "fuzz/input.hpp"

/// The audit's lines: any bytes as a file that is verified, and any texts in records of our own.
namespace {

using namespace rdv;
namespace fuzz = tunnel::fuzz;

Event event_of(fuzz::Input& input) {
  const auto text = [&] { return std::string{tunnel::as_text(input.take_block())}; };
  Event event{.kind = Event::Kind::closed};
  event.session = input.take<std::uint64_t>();
  event.device = text();
  event.code = text();
  event.text = text();
  event.seconds = static_cast<std::int64_t>(input.take<std::uint64_t>());
  return event;
}

/// What we write is read back, follows, and is not taken for anything else when a byte is changed.
void write_and_read(fuzz::Input& input) {
  AuditHead head;
  AuditVerifier verifier;
  for (int i = 0; i < 3; ++i) {
    auto line = make_audit_line(head, event_of(input),
                                static_cast<std::int64_t>(input.take<std::uint64_t>()));
    FUZZ_REQUIRE(line.text.size() <= audit_line_bytes_max && line.text.back() == '\n');
    line.text.pop_back();
    FUZZ_REQUIRE(line.text.find('\n') == std::string::npos);
    auto changed = line.text;
    auto& byte = changed[input.take<std::uint16_t>() % changed.size()];
    byte = static_cast<char>(byte ^ (1 + input.below(255)));
    FUZZ_REQUIRE(std::holds_alternative<AuditDamage>(read_audit_line(changed)));
    FUZZ_REQUIRE(verifier.take(line.text).empty());
    head = line.head;
  }
  FUZZ_REQUIRE(verifier.head() == head && verifier.finish().empty());
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Input input{data, size};
  if (input.take() % 2 == 0) {
    write_and_read(input);
    return 0;
  }
  AuditVerifier verifier;
  auto rest = tunnel::as_text(input.take_rest());
  while (!rest.empty()) {
    const auto end = std::min(rest.find('\n'), rest.size());
    if (!verifier.take(rest.substr(0, end)).empty()) break;
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  static_cast<void>(parse_audit_head(rest));
  return 0;
}
