//! The spanning tree of the simplex method: parents, the arcs to them, depths and prices, and how a
//! subtree is hung elsewhere.

/// No node.
const NONE: u32 = u32::MAX;

/// A tree over all nodes, kept as children in linked lists so that moving a subtree touches that
/// subtree alone.
pub(super) struct Tree {
    nodes: Vec<Node>,
    /// Nodes yet to visit, kept to save allocations.
    stack: Vec<u32>,
}

/// One node's place in the tree.
#[derive(Clone, Copy)]
struct Node {
    price: i64,
    parent: u32,
    arc: u32,
    depth: u32,
    /// Whether the arc is directed towards the parent.
    up: bool,
    first_child: u32,
    next: u32,
    previous: u32,
}

impl Tree {
    /// A star: every node hangs on the root, the last node, by the arc that `link` names, with its
    /// direction (true: towards the root) and its price.
    pub(super) fn star(leaves: usize, link: impl Fn(usize) -> (u32, bool, i64)) -> Self {
        let root = leaves as u32;
        let mut nodes = Vec::with_capacity(leaves + 1);
        for leaf in 0..leaves {
            let (arc, up, price) = link(leaf);
            nodes.push(Node {
                price,
                parent: root,
                arc,
                depth: 1,
                up,
                first_child: NONE,
                next: if leaf + 1 < leaves {
                    leaf as u32 + 1
                } else {
                    NONE
                },
                previous: if leaf > 0 { leaf as u32 - 1 } else { NONE },
            });
        }
        nodes.push(Node {
            price: 0,
            parent: NONE,
            arc: NONE,
            depth: 0,
            up: false,
            first_child: if leaves > 0 { 0 } else { NONE },
            next: NONE,
            previous: NONE,
        });
        Self {
            nodes,
            stack: Vec::new(),
        }
    }

    pub(super) fn price(&self, node: u32) -> i64 {
        self.nodes[node as usize].price
    }

    pub(super) fn parent(&self, node: u32) -> u32 {
        self.nodes[node as usize].parent
    }

    /// The arc to the parent and whether it is directed there.
    pub(super) fn arc(&self, node: u32) -> (usize, bool) {
        let node = &self.nodes[node as usize];
        (node.arc as usize, node.up)
    }

    /// The lowest node above or at both.
    pub(super) fn join(&self, mut one: u32, mut other: u32) -> u32 {
        while one != other {
            let (first, second) = (&self.nodes[one as usize], &self.nodes[other as usize]);
            if first.depth >= second.depth {
                one = first.parent;
            }
            if second.depth >= first.depth {
                other = second.parent;
            }
        }
        one
    }

    /// Cuts the subtree of `top` off, makes `start`, a node in it, its root, hangs that on `parent` by
    /// `arc`, and adds `shift` to the prices of all that moved. Gives how many moved.
    pub(super) fn rehang(
        &mut self,
        top: u32,
        start: u32,
        parent: u32,
        arc: (u32, bool),
        shift: i64,
    ) -> u64 {
        let (mut node, mut above, mut link) = (start, parent, arc);
        loop {
            let old = self.nodes[node as usize];
            self.detach(node);
            self.attach(node, above, link);
            if node == top {
                break;
            }
            (above, link) = (node, (old.arc, !old.up));
            node = old.parent;
        }
        self.settle(start, shift)
    }

    fn detach(&mut self, node: u32) {
        let old = self.nodes[node as usize];
        match old.previous {
            NONE => self.nodes[old.parent as usize].first_child = old.next,
            previous => self.nodes[previous as usize].next = old.next,
        }
        if old.next != NONE {
            self.nodes[old.next as usize].previous = old.previous;
        }
    }

    fn attach(&mut self, node: u32, parent: u32, (arc, up): (u32, bool)) {
        let next = self.nodes[parent as usize].first_child;
        if next != NONE {
            self.nodes[next as usize].previous = node;
        }
        self.nodes[parent as usize].first_child = node;
        let this = &mut self.nodes[node as usize];
        (this.parent, this.arc, this.up) = (parent, arc, up);
        (this.next, this.previous) = (next, NONE);
    }

    /// Sets depths and prices below and at `start`.
    fn settle(&mut self, start: u32, shift: i64) -> u64 {
        let mut moved = 0;
        self.stack.push(start);
        while let Some(node) = self.stack.pop() {
            let parent = self.nodes[node as usize].parent;
            let depth = self.nodes[parent as usize].depth + 1;
            let this = &mut self.nodes[node as usize];
            this.depth = depth;
            this.price += shift;
            moved += 1;
            let mut child = this.first_child;
            while child != NONE {
                self.stack.push(child);
                child = self.nodes[child as usize].next;
            }
        }
        moved
    }
}
