#include "fuzz/input.hpp"

#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

/// Goes through a fuzz target's corpus once, and through each of its files cut short: the corpus as
/// an ordinary test.
int main(int argc, char** argv) {
  std::size_t files = 0;
  for (int i = 1; i < argc; ++i)
    for (const auto& entry : std::filesystem::directory_iterator{argv[i]}) {
      std::ifstream file{entry.path(), std::ios::binary};
      const std::vector<char> bytes{std::istreambuf_iterator<char>{file}, {}};
      const auto* data = reinterpret_cast<const std::uint8_t*>(bytes.data());
      std::fprintf(stderr, "%s\n", entry.path().c_str());
      for (std::size_t size = 0; size < bytes.size(); size += 1 + bytes.size() / 16)
        LLVMFuzzerTestOneInput(data, size);
      LLVMFuzzerTestOneInput(data, bytes.size());
      ++files;
    }
  if (files == 0) std::fprintf(stderr, "run_corpus: no file in the folders named\n");
  return files == 0 ? 1 : 0;
}
