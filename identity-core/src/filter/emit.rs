//! Third step: the SQL. In three-valued logic `and` and `or` keep "unknown" apart from "true" just as they do "false",
//! so a test of an absent value may stay unknown; only `not` must say which, and says `IS NOT TRUE`.

use super::check::InValue;
use super::layout::Layout;
use super::lower::{Condition, Scalar, Storage, of_column};
use super::test::{Operand, Order, Test};
use super::tree::Tree;
use super::{Fragment, Predicate};
use crate::keys;

/// Writes the condition.
pub(super) fn emit(layout: &Layout, condition: &Tree<Condition>) -> Predicate {
    let mut sql = Sql(Vec::new());
    sql.tree(condition, &|sql, condition| sql.condition(layout, condition));
    Predicate(sql.0)
}

struct Sql(Vec<Fragment>);

impl Sql {
    fn push(&mut self, parts: &[&'static str]) {
        self.0.extend(parts.iter().map(|part| Fragment::Sql(part)));
    }

    fn bind(&mut self, value: &str) {
        self.0.push(Fragment::Text(value.to_owned()));
    }

    fn tree<L>(&mut self, tree: &Tree<L>, leaf: &impl Fn(&mut Self, &L)) {
        match tree {
            Tree::All(trees) => self.join(trees, " AND ", leaf),
            Tree::Any(trees) => self.join(trees, " OR ", leaf),
            Tree::Not(tree) => {
                self.push(&["(("]);
                self.tree(tree, leaf);
                self.push(&[") IS NOT TRUE)"]);
            }
            Tree::Leaf(content) => leaf(self, content),
        }
    }

    fn join<L>(&mut self, trees: &[Tree<L>], separator: &'static str, leaf: &impl Fn(&mut Self, &L)) {
        self.push(&["("]);
        for (index, tree) in trees.iter().enumerate() {
            if index > 0 {
                self.push(&[separator]);
            }
            self.tree(tree, leaf);
        }
        self.push(&[")"]);
    }

    fn condition(&mut self, layout: &Layout, condition: &Condition) {
        match condition {
            Condition::Constant(true) => self.push(&["true"]),
            Condition::Constant(false) => self.push(&["false"]),
            Condition::IdIs(id) => {
                self.push(&[layout.id, " = "]);
                self.0.push(Fragment::Uuid(*id));
            }
            Condition::Scalar(scalar, test) => self.scalar(scalar, test),
            Condition::Element { array, inner, or_none } => self.element(array, inner, *or_none),
            Condition::Searchable { path, value, kind } => self.searchable(path, value, kind.as_ref()),
            Condition::HasMember(id) => self.has_member(*id),
            Condition::Member { inner, or_none } => self.member(inner, *or_none),
        }
    }

    /// As an array, so that the few groups of a member are found first, also below an `or`. The id is a user's or a group's.
    fn has_member(&mut self, id: uuid::Uuid) {
        let of = |column| {
            [
                "SELECT m.group_id FROM member m WHERE m.tenant_id = current_setting('portcullis.tenant_id')::uuid AND m.",
                column,
                " = ",
            ]
        };
        self.push(&["g.group_id = ANY (ARRAY("]);
        self.push(&of("member_user_id"));
        self.0.push(Fragment::Uuid(id));
        self.push(&[" UNION ALL "]);
        self.push(&of("member_group_id"));
        self.0.push(Fragment::Uuid(id));
        self.push(&["))"]);
    }

    fn member(&mut self, inner: &Tree<InValue>, or_none: bool) {
        let of_group = "EXISTS (SELECT FROM member m WHERE m.tenant_id = g.tenant_id AND m.group_id = g.group_id";
        if or_none {
            self.push(&["(NOT ", of_group, ") OR "]);
        }
        self.push(&[of_group, " AND "]);
        self.tree(inner, &|sql, leaf: &InValue| sql.in_member(leaf));
        self.push(&[if or_none { "))" } else { ")" }]);
    }

    /// Equality of ids is that of the column, which has an index.
    fn in_member(&mut self, leaf: &InValue) {
        match (leaf.sub_attribute, &leaf.test) {
            ("value", Test::Equal(Operand::Text(text))) => match keys::id(text) {
                Some(id) => {
                    self.push(&["m.member_id = "]);
                    self.0.push(Fragment::Uuid(id));
                }
                None => self.push(&["false"]),
            },
            ("value", test) => self.scalar(&of_column("(m.member_id::text COLLATE \"C\")"), test),
            // Its kind is which of the two columns it is in, and they have indexes.
            ("type", Test::Equal(Operand::Text(text))) => self.push(&[match text.as_str() {
                "user" => "m.member_user_id IS NOT NULL",
                "group" => "m.member_group_id IS NOT NULL",
                _ => "false",
            }]),
            (_, test) => self.scalar(
                &of_column("(CASE WHEN m.is_group THEN 'group' ELSE 'user' END COLLATE \"C\")"),
                test,
            ),
        }
    }

    fn element(&mut self, array: &Scalar, inner: &Tree<InValue>, or_none: bool) {
        if or_none {
            self.push(&["("]);
            self.push(&array.sql);
            self.push(&[" IS NULL OR "]);
        }
        self.push(&["EXISTS (SELECT FROM jsonb_array_elements"]);
        self.push(&array.sql);
        self.push(&[" AS e (value) WHERE "]);
        self.tree(inner, &|sql, leaf: &InValue| {
            let scalar = Scalar {
                sql: vec!["(e.value ->> '", leaf.sub_attribute, "')"],
                storage: Storage::Json,
            };
            sql.scalar(&scalar, &leaf.test);
        });
        self.push(&[if or_none { "))" } else { ")" }]);
    }

    /// Equality finds few rows: as an array it starts from the index of `user_value` and ends in the primary key of
    /// `users`, also below an `or`. A prefix may find many: as a semi-join the planner chooses the order.
    fn searchable(&mut self, path: &'static str, value: &Test, kind: Option<&Test>) {
        let is_equal = matches!(value, Test::Equal(_));
        self.push(&[if is_equal {
            "u.user_id = ANY (ARRAY("
        } else {
            "u.user_id IN ("
        }]);
        self.push(&[
            "SELECT v.user_id FROM user_value v WHERE v.tenant_id = current_setting('portcullis.tenant_id')::uuid",
        ]);
        self.push(&[" AND v.path = '", path, "' AND "]);
        self.scalar(&of_column("v.value_key"), value);
        if let Some(kind) = kind {
            self.push(&[" AND "]);
            self.scalar(&of_column("v.type_key"), kind);
        }
        self.push(&[if is_equal { "))" } else { ")" }]);
    }

    fn scalar(&mut self, scalar: &Scalar, test: &Test) {
        match test {
            Test::Present => {
                self.push(&scalar.sql);
                self.push(&[" IS NOT NULL"]);
            }
            Test::Equal(operand) => self.operator(scalar, " = ", operand),
            Test::NotEqual(operand) => self.operator(scalar, " IS DISTINCT FROM ", operand),
            Test::Ordered(order, operand) => self.operator(scalar, symbol(*order), operand),
            Test::Contains(part) => self.call("strpos(", scalar, part, ") > 0"),
            Test::StartsWith(prefix) if scalar.storage == Storage::Column => self.range(scalar, prefix),
            Test::StartsWith(prefix) => self.call("starts_with(", scalar, prefix, ")"),
            Test::EndsWith(suffix) => {
                self.push(&["right("]);
                self.push(&scalar.sql);
                self.push(&[", length("]);
                self.bind(suffix);
                self.push(&[")) = "]);
                self.bind(suffix);
            }
        }
    }

    fn operator(&mut self, scalar: &Scalar, operator: &'static str, operand: &Operand) {
        match (operand, scalar.storage) {
            (Operand::Boolean(_), Storage::Json) => {
                self.push(&["coalesce("]);
                self.push(&scalar.sql);
                self.push(&["::boolean, false)", operator]);
            }
            (Operand::Text(_), Storage::Json) => {
                self.push(&scalar.sql);
                self.push(&[" COLLATE \"C\"", operator]);
            }
            (_, _) => {
                self.push(&scalar.sql);
                self.push(&[operator]);
            }
        }
        self.0.push(match operand {
            Operand::Text(text) => Fragment::Text(text.clone()),
            Operand::Boolean(boolean) => Fragment::Boolean(*boolean),
            Operand::Instant(instant) => Fragment::Instant(*instant),
        });
    }

    fn call(&mut self, open: &'static str, scalar: &Scalar, operand: &str, close: &'static str) {
        self.push(&[open]);
        self.push(&scalar.sql);
        self.push(&[", "]);
        self.bind(operand);
        self.push(&[close]);
    }

    /// A prefix as the range of a B-tree; `LIKE` is one only when its pattern is known at planning.
    fn range(&mut self, column: &Scalar, prefix: &str) {
        self.push(&["("]);
        self.push(&column.sql);
        self.push(&[" >= "]);
        self.bind(prefix);
        if let Some(end) = after_prefix(prefix) {
            self.push(&[" AND "]);
            self.push(&column.sql);
            self.push(&[" < "]);
            self.bind(&end);
        }
        self.push(&[")"]);
    }
}

fn symbol(order: Order) -> &'static str {
    match order {
        Order::Greater => " > ",
        Order::GreaterOrEqual => " >= ",
        Order::Less => " < ",
        Order::LessOrEqual => " <= ",
    }
}

/// The first text, in the order of code points, after all that start with `prefix`; `None` when there is none.
fn after_prefix(prefix: &str) -> Option<String> {
    let mut end = prefix.to_owned();
    while let Some(last) = end.pop() {
        // Surrogates are no characters: the one after U+D7FF is U+E000.
        let next = if last == '\u{D7FF}' {
            Some('\u{E000}')
        } else {
            char::from_u32(u32::from(last) + 1)
        };
        if let Some(next) = next {
            end.push(next);
            return Some(end);
        }
    }
    None
}

#[cfg(test)]
#[test]
fn the_end_of_a_prefix_is_the_next_text_that_lacks_it() {
    let check = |prefix: &str, expect: Option<&str>| assert_eq!(after_prefix(prefix).as_deref(), expect, "{prefix:?}");
    check("ann", Some("ano"));
    check("a\u{10FFFF}", Some("b"));
    check("\u{D7FF}", Some("\u{E000}"));
    check("\u{10FFFF}", None);
    check("", None);
}
