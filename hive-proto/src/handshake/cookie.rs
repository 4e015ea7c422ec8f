//! Cookies: what a member would have to remember, carried by the candidate instead.

use crate::codec;
use crate::message::{Cookie, Hello};
use crate::seal::tagged_hash;
use hive_types::limits::COOKIE_LIFETIME;
use hive_types::{Digest, Elapsed, NodeId};

/// Makes cookies and knows its own again. The secret is new in each boot, because a cookie's age is
/// counted since boot.
#[derive(Clone)]
pub(crate) struct Cookies {
    secret: [u8; 32],
}

/// Why a cookie does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CookieFault {
    /// Not made here, in this boot, for this peer and this HELLO.
    Foreign,
    /// Made too long ago.
    Old,
}

impl Cookies {
    pub(crate) const fn new(secret: [u8; 32]) -> Self {
        Self { secret }
    }

    pub(crate) fn make(&self, made: Elapsed, peer: &NodeId, hello: &Hello) -> Cookie {
        let mac = self.mac(made, peer, hello);
        Cookie { made, mac }
    }

    pub(crate) fn check(
        &self,
        now: Elapsed,
        peer: &NodeId,
        hello: &Hello,
        cookie: &Cookie,
    ) -> Result<(), CookieFault> {
        if !equal(&self.mac(cookie.made, peer, hello), &cookie.mac) || cookie.made > now {
            return Err(CookieFault::Foreign);
        }
        if now.since(cookie.made) > COOKIE_LIFETIME {
            return Err(CookieFault::Old);
        }
        Ok(())
    }

    /// Every part has a fixed length, so no two inputs share their bytes and none can be extended.
    fn mac(&self, made: Elapsed, peer: &NodeId, hello: &Hello) -> Digest {
        let made = made.get().to_be_bytes();
        let hello = codec::encode(hello);
        tagged_hash(
            "hive/cookie",
            &[&self.secret, peer.as_bytes(), &hello, &made],
        )
    }
}

/// Takes the same time wherever the first difference lies.
fn equal(left: &Digest, right: &Digest) -> bool {
    let pairs = left.as_bytes().iter().zip(right.as_bytes());
    pairs.fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use hive_types::Millis;

    fn node(byte: u8) -> NodeId {
        let mut bytes = [byte; 33];
        bytes[0] = 2;
        NodeId::from_bytes(bytes).unwrap()
    }

    #[test]
    fn a_cookie_counts_for_its_peer_its_hello_and_a_minute() {
        let cookies = Cookies::new([1; 32]);
        let hello = Hello {
            ticket: Digest::from_bytes([2; 32]),
            nonce: [3; 32],
        };
        let made = Elapsed::new(5_000);
        let cookie = cookies.make(made, &node(4), &hello);
        let check = |now, peer, hello| cookies.check(now, &peer, &hello, &cookie);
        let last = made.plus(COOKIE_LIFETIME);
        assert_eq!(check(made, node(4), hello), Ok(()));
        assert_eq!(check(last, node(4), hello), Ok(()));
        let late = last.plus(Millis::new(1));
        assert_eq!(check(late, node(4), hello), Err(CookieFault::Old));
        assert_eq!(check(made, node(5), hello), Err(CookieFault::Foreign));
        let early = Elapsed::new(4_999);
        assert_eq!(check(early, node(4), hello), Err(CookieFault::Foreign));
        let other = Hello {
            nonce: [9; 32],
            ..hello
        };
        assert_eq!(check(made, node(4), other), Err(CookieFault::Foreign));
        let next_boot = Cookies::new([7; 32]);
        assert_eq!(
            next_boot.check(made, &node(4), &hello, &cookie),
            Err(CookieFault::Foreign)
        );
        let younger = Cookie {
            made: last,
            ..cookie
        };
        assert_eq!(
            cookies.check(last, &node(4), &hello, &younger),
            Err(CookieFault::Foreign)
        );
    }
}
