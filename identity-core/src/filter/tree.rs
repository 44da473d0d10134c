//! The logic of a filter, apart from what its leaves say: checked tests, conditions on columns, tests inside one value.

/// A tree of `and`, `or` and `not` over leaves. Its depth is that of a checked filter, so recursion is bounded.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree<L> {
    All(Vec<Tree<L>>),
    Any(Vec<Tree<L>>),
    Not(Box<Tree<L>>),
    Leaf(L),
}

impl<L> Tree<L> {
    /// The opposite of a leaf.
    pub(crate) fn not_leaf(leaf: L) -> Self {
        Tree::Not(Box::new(Tree::Leaf(leaf)))
    }

    /// Whether the tree holds, given which leaves do.
    pub(crate) fn holds(&self, leaf: &impl Fn(&L) -> bool) -> bool {
        match self {
            Tree::All(trees) => trees.iter().all(|tree| tree.holds(leaf)),
            Tree::Any(trees) => trees.iter().any(|tree| tree.holds(leaf)),
            Tree::Not(tree) => !tree.holds(leaf),
            Tree::Leaf(content) => leaf(content),
        }
    }
}
