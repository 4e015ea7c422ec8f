//! Scuttlebutt: two replicas tell each other what they have in one line per author, and then send
//! what the other lacks and nothing else.
//!
//! 1. A sends its [`Merged::digest`]. B gives an [`Answer`]: a delta with what A lacks, in version
//!    order, and the lines where B is behind; and for each author whose version agrees while the
//!    content does not, a listing.
//! 2. A merges the delta's items, answers its `want` ([`Merged::answer_want`]) and each listing
//!    ([`Merged::on_listing`]). B does the same with what comes back.
//! 3. Where a frame was too small (`more`), A sends another digest.
//!
//! Every message stands alone: what is lost is found again in the next round.

use super::Merged;
use super::author::{Author, View};
use super::pack::{Offer, fill};
use hive_proto::{Counter, Delta, DigestLine, Epoch, KeyVersion, Listing, Version, codec};
use hive_types::limits::FRAME_BYTES;
use hive_types::{Digest, NodeId};
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// What goes back to the sender of a digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// What it lacks and what it is asked for. Also sent when empty: it says that nothing is missing.
    pub delta: Delta,
    /// Authors whose version agrees and whose content does not.
    pub listings: Vec<Listing>,
}

/// What goes back to the sender of a listing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListingAnswer {
    /// What it lacks.
    pub delta: Option<Delta>,
    /// What this side has, if the sender has something that is lacking here.
    pub listing: Option<Listing>,
}

/// How an author's line here compares with the other side's.
enum Compared {
    Equal,
    Ahead,
    Behind,
    Forked,
}

impl Author {
    fn compare(&self, line: &DigestLine, view: View) -> Compared {
        let own = self.line(view);
        match own.newest.cmp(&line.newest) {
            Ordering::Greater => Compared::Ahead,
            Ordering::Less => Compared::Behind,
            Ordering::Equal if own.hash == line.hash => Compared::Equal,
            Ordering::Equal => Compared::Forked,
        }
    }

    /// The manifest of an epoch that the roster does not name. It goes along with whatever is said
    /// of the author, for the two sides may hold two certifications of one epoch, and the lines do
    /// not show which.
    fn unseated(&self) -> Option<Offer<'_>> {
        (!self.seated).then(|| Offer::Epoch(self.manifest.manifest()))
    }

    /// What somebody at `line` lacks: the epoch first, proofs last.
    fn offers<'a>(
        &'a self,
        line: &DigestLine,
        view: View,
    ) -> Box<dyn Iterator<Item = Offer<'a>> + 'a> {
        let newer_epoch = line.newest.epoch < self.epoch();
        let from = if newer_epoch {
            Counter(0)
        } else {
            line.newest.counter
        };
        let opens = newer_epoch || !self.seated;
        let epoch = opens.then(|| Offer::Epoch(self.manifest.manifest()));
        let records = self.above(from).filter(move |held| view.shows(held));
        let records = records.map(Offer::Record);
        let proofs = (line.proofs == 0)
            .then(|| self.proofs())
            .into_iter()
            .flatten()
            .map(Offer::Proof);
        Box::new(epoch.into_iter().chain(records).chain(proofs))
    }

    fn listing(&self, author: NodeId, reply: bool, view: View) -> Listing {
        let entry = |held: &super::Held| KeyVersion {
            version: held.record().fields().version,
            hash: prefix(held.hash()),
        };
        Listing {
            author,
            epoch: self.epoch(),
            records: self
                .live()
                .filter(|held| view.shows(held))
                .map(entry)
                .collect(),
            proofs: self.proofs().map(|proof| prefix(proof.hash())).collect(),
            reply,
        }
    }

    /// What the sender of the listing lacks.
    fn lacking(&self, listing: &Listing, view: View) -> Vec<Offer<'_>> {
        let records: BTreeSet<_> = listing.records.iter().map(|entry| entry.hash).collect();
        let proofs: BTreeSet<_> = listing.proofs.iter().copied().collect();
        let lacks =
            |held: &&super::Held| view.shows(held) && !records.contains(&prefix(held.hash()));
        let unproven = |proof: &&super::ForkProof| !proofs.contains(&prefix(proof.hash()));
        let records = self.live().filter(lacks).map(Offer::Record);
        let proofs = self.proofs().filter(unproven).map(Offer::Proof);
        self.unseated()
            .into_iter()
            .chain(records)
            .chain(proofs)
            .collect()
    }

    /// Whether the sender of the listing has something that is not here.
    fn lacks(&self, listing: &Listing) -> bool {
        let records: BTreeSet<_> = self.live().map(|held| prefix(held.hash())).collect();
        let proofs: BTreeSet<_> = self.proofs().map(|proof| prefix(proof.hash())).collect();
        listing
            .records
            .iter()
            .any(|entry| !records.contains(&entry.hash))
            || listing.proofs.iter().any(|proof| !proofs.contains(proof))
    }
}

fn prefix(hash: &Digest) -> [u8; 16] {
    let mut prefix = [0; 16];
    prefix.copy_from_slice(&hash.as_bytes()[..16]);
    prefix
}

impl Merged {
    /// Takes the nodes of full members. What only they may read is told to nobody else, but to its own
    /// author. As long as this was never said, everything is for everybody.
    pub fn set_full_members(&mut self, full: impl IntoIterator<Item = NodeId>) {
        self.full = Some(full.into_iter().collect());
    }

    /// Whether a member may read all records of an author.
    pub fn may_read(&self, reader: &NodeId, author: &NodeId) -> bool {
        reader == author || self.reads_all(reader)
    }

    /// Whether a member may read everything.
    pub fn reads_all(&self, reader: &NodeId) -> bool {
        let is_full = |full: &BTreeSet<NodeId>| full.contains(reader);
        self.full.as_ref().is_none_or(is_full)
    }

    /// What this member and a fellow compare of an author: all records if both may read them. Both say
    /// the same as soon as they know the same roster.
    fn shared_view(&self, fellow: Option<&NodeId>, author: &NodeId) -> View {
        let both = |fellow| self.may_read(&self.me, author) && self.may_read(fellow, author);
        match fellow {
            Some(fellow) if !both(fellow) => View::ForAll,
            _ => View::All,
        }
    }

    /// One line per author: all that this replica has. 50 members take under 4.5 kB.
    pub fn digest(&self) -> Vec<DigestLine> {
        self.lines(|_| View::All)
    }

    /// One line per author: what every member may read, and nothing else.
    pub fn digest_for_all(&self) -> Vec<DigestLine> {
        self.lines(|_| View::ForAll)
    }

    /// One line per author: what this fellow may read of what is here.
    pub fn digest_for(&self, fellow: &NodeId) -> Vec<DigestLine> {
        self.lines(|author| self.shared_view(Some(fellow), author))
    }

    fn lines(&self, view: impl Fn(&NodeId) -> View) -> Vec<DigestLine> {
        let known = self
            .authors
            .iter()
            .map(|(id, author)| author.line(view(id)));
        let awaited = self.awaited.keys().map(|id| unknown(*id));
        known.chain(awaited).collect()
    }

    /// Answers a digest. Authors that only one side knows are left out: their roster differs, and
    /// the chain of decisions is what heals that.
    pub fn answer(&self, lines: &[DigestLine]) -> Answer {
        self.answer_in(None, lines)
    }

    /// Answers the digest of a fellow with what it may read.
    pub fn answer_for(&self, fellow: &NodeId, lines: &[DigestLine]) -> Answer {
        self.answer_in(Some(fellow), lines)
    }

    fn answer_in(&self, fellow: Option<&NodeId>, lines: &[DigestLine]) -> Answer {
        let mut behind = Vec::new();
        let mut offers: Vec<Box<dyn Iterator<Item = Offer<'_>>>> = Vec::new();
        let mut listings = Vec::new();
        let mut room = FRAME_BYTES;
        for (id, line) in by_author(lines) {
            let Some(author) = self.authors.get(&id) else {
                behind.extend(self.awaited.contains_key(&id).then(|| unknown(id)));
                continue;
            };
            let view = self.shared_view(fellow, &id);
            match author.compare(line, view) {
                Compared::Equal => {}
                Compared::Ahead => offers.push(author.offers(line, view)),
                Compared::Behind => {
                    behind.push(author.line(view));
                    offers.push(Box::new(author.unseated().into_iter()));
                }
                Compared::Forked => {
                    let listing = author.listing(id, true, view);
                    // Together a frame's worth at most: the rest has its turn in a later round.
                    if let Some(rest) = room.checked_sub(codec::encode(&listing).len()) {
                        room = rest;
                        listings.push(listing);
                    }
                }
            }
        }
        Answer {
            delta: fill(behind, offers),
            listings,
        }
    }

    /// Answers the lines of a delta's `want`; nothing if there is nothing newer here.
    pub fn answer_want(&self, want: &[DigestLine]) -> Option<Delta> {
        self.answer_want_in(None, want)
    }

    /// Answers what a fellow wants with what it may read.
    pub fn answer_want_for(&self, fellow: &NodeId, want: &[DigestLine]) -> Option<Delta> {
        self.answer_want_in(Some(fellow), want)
    }

    fn answer_want_in(&self, fellow: Option<&NodeId>, want: &[DigestLine]) -> Option<Delta> {
        let offers: Vec<_> = by_author(want)
            .into_iter()
            .filter_map(|(id, line)| {
                let author = self.authors.get(&id)?;
                let view = self.shared_view(fellow, &id);
                let is_ahead = matches!(author.compare(line, view), Compared::Ahead);
                is_ahead.then(|| author.offers(line, view))
            })
            .collect();
        non_empty(fill(Vec::new(), offers))
    }

    /// Answers a listing. In another epoch than the one open here, the next digest says enough.
    pub fn on_listing(&self, listing: &Listing) -> ListingAnswer {
        self.on_listing_in(None, listing)
    }

    /// Answers a fellow's listing with what it may read.
    pub fn on_listing_for(&self, fellow: &NodeId, listing: &Listing) -> ListingAnswer {
        self.on_listing_in(Some(fellow), listing)
    }

    fn on_listing_in(&self, fellow: Option<&NodeId>, listing: &Listing) -> ListingAnswer {
        let Some(author) = self.authors.get(&listing.author) else {
            return ListingAnswer::default();
        };
        if author.epoch() != listing.epoch {
            return ListingAnswer::default();
        }
        let view = self.shared_view(fellow, &listing.author);
        let lacking = author.lacking(listing, view).into_iter();
        let reply = listing.reply && author.lacks(listing);
        ListingAnswer {
            delta: non_empty(fill(Vec::new(), vec![lacking])),
            listing: reply.then(|| author.listing(listing.author, false, view)),
        }
    }

    /// Whether a fellow with this digest knows nothing newer of the own member than is here.
    pub fn is_abreast(&self, lines: &[DigestLine]) -> bool {
        self.is_abreast_in(None, lines)
    }

    /// The same, of what that fellow may read.
    pub fn is_abreast_of(&self, fellow: &NodeId, lines: &[DigestLine]) -> bool {
        self.is_abreast_in(Some(fellow), lines)
    }

    fn is_abreast_in(&self, fellow: Option<&NodeId>, lines: &[DigestLine]) -> bool {
        let own = |line: &&DigestLine| line.author == self.me;
        let (Some(author), Some(line)) = (self.authors.get(&self.me), lines.iter().find(own))
        else {
            return false;
        };
        let view = self.shared_view(fellow, &self.me);
        matches!(
            author.compare(line, view),
            Compared::Equal | Compared::Ahead
        )
    }

    /// The epoch that is open for an author.
    pub fn epoch(&self, author: &NodeId) -> Option<Epoch> {
        self.authors.get(author).map(Author::epoch)
    }
}

/// The line of an author whose manifest has not come: everybody that knows it is ahead.
fn unknown(author: NodeId) -> DigestLine {
    DigestLine {
        author,
        newest: Version::default(),
        hash: Digest::from_bytes([0; 32]),
        proofs: 0,
    }
}

/// One line of each author, whatever came.
fn by_author(lines: &[DigestLine]) -> BTreeMap<NodeId, &DigestLine> {
    lines.iter().map(|line| (line.author, line)).collect()
}

fn non_empty(delta: Delta) -> Option<Delta> {
    (!delta.items.is_empty()).then_some(delta)
}
