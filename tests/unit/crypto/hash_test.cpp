#include "crypto/hash.hpp"

#include <boost/test/unit_test.hpp>

#include <set>

namespace tunnel::crypto {

BOOST_AUTO_TEST_CASE(sha256_is_fips_180) {
  BOOST_TEST(to_hex(sha256({})) ==
             "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  BOOST_TEST(to_hex(sha256(as_bytes("abc"))) ==
             "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

BOOST_AUTO_TEST_CASE(hmac_is_rfc_4231) {
  BOOST_TEST(to_hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))) ==
             "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

BOOST_AUTO_TEST_CASE(only_the_same_bytes_are_equal) {
  BOOST_TEST(equal({}, {}));
  BOOST_TEST(equal(as_bytes("abc"), as_bytes("abc")));
  BOOST_TEST(!equal(as_bytes("abc"), as_bytes("abd")));
  BOOST_TEST(!equal(as_bytes("abc"), as_bytes("ab")));
  BOOST_TEST(!equal({}, as_bytes("a")));
}

BOOST_AUTO_TEST_CASE(nonces_do_not_repeat) {
  std::set<Nonce> nonces;
  std::set<std::uint64_t> numbers;
  for (int i = 0; i < 1000; ++i) {
    BOOST_TEST(nonces.insert(random_nonce()).second);
    BOOST_TEST(numbers.insert(random_u64()).second);
  }
}

}  // namespace tunnel::crypto
