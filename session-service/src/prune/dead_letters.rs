//! Dead letters: announcements that failed five times. Each bucket keeps its own in the stream `{bN}:dead`, with what was
//! announced and why it failed, until an administrator announces them once more or forgets them. Nobody's access waits for that.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;
use std::time::Duration;

use identity_proto::access::{BUCKETS, CONSUMER_GROUP, buckets, entry};
use redis::Script;

use super::Prune;
use crate::error::Error;
use crate::metrics;
use crate::redis_link::RedisLink;

/// How often they are counted.
const EVERY: Duration = Duration::from_secs(10);
/// How much of a value or a reason is kept or told, in characters.
const MAX_TEXT: usize = 128;

static BURY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("bury.lua")));
static REPLAY: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("replay.lua")));
static LIST: LazyLock<Script> =
    LazyLock::new(|| Script::new("return redis.call('XRANGE', KEYS[1] .. ':dead', ARGV[1], '+', 'COUNT', ARGV[2])"));
static FORGET: LazyLock<Script> =
    LazyLock::new(|| Script::new("return redis.call('XDEL', KEYS[1] .. ':dead', ARGV[1])"));
static COUNT: LazyLock<Script> = LazyLock::new(|| Script::new("return redis.call('XLEN', KEYS[1] .. ':dead')"));

/// As Redis has it: its id, then names and values by turns.
type Entry = (String, Vec<Vec<u8>>);

/// Where a letter lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LetterId {
    pub bucket: u8,
    ms: u64,
    number: u64,
}

/// A letter, as far as it is for people.
#[derive(Debug)]
pub struct Letter {
    pub id: LetterId,
    pub fields: BTreeMap<String, String>,
    /// The id that it had in the bucket's stream.
    pub entry: String,
    pub why: String,
    /// 0: not known.
    pub tries: i32,
}

impl Prune {
    /// Moves an entry of a bucket's stream to the dead letters, unless somebody else was done with it meanwhile.
    pub(super) async fn bury(&self, bucket: u8, entry: &str, why: &str, tries: usize) -> Result<(), Error> {
        let why = cut(why);
        let arguments = [CONSUMER_GROUP, entry, &why, &tries.to_string()];
        if self.redis.run::<i64>(&BURY, bucket, &arguments).await? == 1 {
            metrics::buried();
            tracing::error!(
                bucket,
                entry,
                tries,
                why,
                "an announcement failed and is a dead letter now"
            );
        }
        Ok(())
    }
}

/// The letters after one, or from the beginning: by bucket, the oldest first, so many at most. And the buckets that could not be
/// read; an error if that is all of them.
pub async fn list(redis: &RedisLink, after: Option<&LetterId>, most: usize) -> Result<(Vec<Letter>, Vec<u8>), Error> {
    let (mut letters, mut unread) = (Vec::new(), Vec::new());
    for bucket in after.map_or(0, |after| after.bucket)..BUCKETS {
        let from = match after {
            Some(after) if after.bucket == bucket => format!("({}", after.place()),
            _ => "-".to_owned(),
        };
        let left = most - letters.len();
        if left == 0 {
            break;
        }
        let read: Result<Vec<Entry>, _> = redis.run(&LIST, bucket, &[&from, &left.to_string()]).await;
        let found = match read {
            Ok(found) => found,
            Err(error) if unread.len() + 1 == usize::from(BUCKETS) => return Err(error),
            Err(_) => {
                unread.push(bucket);
                continue;
            }
        };
        letters.extend(
            found
                .iter()
                .filter_map(|(place, fields)| Letter::read(bucket, place, fields)),
        );
    }
    Ok((letters, unread))
}

/// Announces a letter once more and forgets it: the new entry's id, unless there is no such letter.
pub async fn replay(redis: &RedisLink, id: &LetterId) -> Result<Option<String>, Error> {
    redis.run(&REPLAY, id.bucket, &[&id.place()]).await
}

/// Forgets a letter. Answers whether there was one.
pub async fn forget(redis: &RedisLink, id: &LetterId) -> Result<bool, Error> {
    redis.run(&FORGET, id.bucket, &[&id.place()]).await
}

/// Counts for ever.
pub(super) async fn count(prune: Prune) {
    loop {
        let mut waiting = Some(0_u32);
        for bucket in buckets() {
            let counted = prune.redis.run::<u32>(&COUNT, bucket, &[]).await;
            waiting = waiting.zip(counted.ok()).map(|(all, more)| all + more);
        }
        metrics::dead_letters(waiting);
        tokio::time::sleep(EVERY).await;
    }
}

impl LetterId {
    fn place(&self) -> String {
        format!("{}-{}", self.ms, self.number)
    }

    /// When it was buried: ms since 1970, by Redis's clock.
    pub fn buried_ms(&self) -> i64 {
        i64::try_from(self.ms).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}-{}", self.bucket, self.ms, self.number)
    }
}

impl FromStr for LetterId {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (bucket, place) = text.split_once(':').ok_or(())?;
        let (ms, number) = place.split_once('-').ok_or(())?;
        let id = LetterId {
            bucket: bucket.parse().map_err(drop)?,
            ms: ms.parse().map_err(drop)?,
            number: number.parse().map_err(drop)?,
        };
        if id.bucket < BUCKETS { Ok(id) } else { Err(()) }
    }
}

impl Letter {
    /// Of fields that the contract does not name only the names are told: their values may be anything.
    fn read(bucket: u8, place: &str, fields: &[Vec<u8>]) -> Option<Self> {
        let text = |bytes: &Vec<u8>| cut(&String::from_utf8_lossy(bytes));
        let mut letter = Letter {
            id: format!("{bucket}:{place}").parse().ok()?,
            fields: BTreeMap::new(),
            entry: String::new(),
            why: String::new(),
            tries: 0,
        };
        for pair in fields.chunks_exact(2) {
            let (name, value) = (text(&pair[0]), text(&pair[1]));
            match name.as_str() {
                "entry" => letter.entry = value,
                "why" => letter.why = value,
                "tries" => letter.tries = value.parse().unwrap_or_default(),
                entry::TENANT | entry::USER | entry::EPOCH | entry::STATE | entry::REQUEST => {
                    letter.fields.insert(name, value);
                }
                _ => {
                    letter.fields.insert(name, String::new());
                }
            }
        }
        Some(letter)
    }
}

/// As much of a text as is kept or told.
pub fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

#[cfg(test)]
mod tests {
    use identity_proto::access::{prefix, stream};
    use local_stack::test::Redis;
    use redis::Commands;

    use super::*;

    #[test]
    fn an_announcement_becomes_one_letter_however_many_give_it_up() {
        let mut redis = redis::Client::open(Redis::shared().database())
            .and_then(|client| client.get_connection())
            .expect("Redis");
        let (ends, dead) = (stream(7), format!("{}:dead", prefix(7)));
        redis
            .xgroup_create_mkstream::<_, _, _, ()>(&ends, CONSUMER_GROUP, "0")
            .unwrap();
        let mut announced = |read: bool| {
            let id: String = redis.xadd(&ends, "*", &[("tenant", "t")]).unwrap();
            if read {
                let options = redis::streams::StreamReadOptions::default().group(CONSUMER_GROUP, "one");
                redis
                    .xread_options::<_, _, redis::streams::StreamReadReply>(&[&ends], &[">"], &options)
                    .unwrap();
            }
            let mut bury = || -> i64 {
                let mut call = BURY.key(prefix(7));
                call.arg(CONSUMER_GROUP).arg(&id).arg("why").arg(5);
                call.invoke(&mut redis).unwrap()
            };
            let buried = [bury(), bury()];
            (buried, redis.xlen::<_, i64>(&dead).unwrap())
        };
        assert_eq!(announced(true), ([1, 0], 1));
        assert_eq!(announced(false), ([0, 0], 1), "nobody has read it yet");
    }

    #[test]
    fn an_id_is_read_as_it_is_written() {
        for id in ["0:0-0", "7:1764194521000-12", "63:18446744073709551615-1"] {
            assert_eq!(id.parse::<LetterId>().unwrap().to_string(), id);
        }
        for wrong in [
            "",
            "7",
            "7:",
            "64:1-0",
            "-1:1-0",
            "7:1",
            "7:x-0",
            "7:1-0-0",
            "1764194521000-0",
        ] {
            assert_eq!(wrong.parse::<LetterId>(), Err(()), "{wrong}");
        }
    }

    #[test]
    fn a_letter_tells_ids_and_no_value_that_the_contract_does_not_name() {
        let long = "x".repeat(500);
        let fields = [
            "tenant",
            "t",
            "epoch",
            &long,
            "note",
            "ann@example.com",
            "why",
            "no user",
            "tries",
            "5",
            "entry",
            "1-0",
        ];
        let fields: Vec<Vec<u8>> = fields.iter().map(|text| text.as_bytes().to_vec()).collect();
        let letter = Letter::read(7, "9-0", &fields).unwrap();
        let told: Vec<_> = letter
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.len()))
            .collect();
        assert_eq!(told, [("epoch", MAX_TEXT), ("note", 0), ("tenant", 1)]);
        assert_eq!(
            (letter.why.as_str(), letter.tries, letter.entry.as_str()),
            ("no user", 5, "1-0")
        );
        let odd = [vec![0xff], vec![0xfe], b"alone".to_vec()];
        assert!(Letter::read(7, "9-0", &odd).is_some(), "whatever it holds");
    }
}
