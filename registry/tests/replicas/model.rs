//! The model check: several replicas, random writes at once, random faults, and at the end one truth. It prints its
//! seed; `FEDREG_MODEL_SEED` repeats it, `FEDREG_MODEL_SECONDS` lets it run longer.

#[cfg(feature = "real-neo4j")]
use crate::proxy::{Pass, Proxy};
use crate::{
    flaky::{Flaky, Mode},
    world::{Replica, documents, edited, embedded, put, replica, until},
};
use futures::future::BoxFuture;
use rand::{Rng, SeedableRng, rngs::StdRng};
use registry::{
    federation::{Federation, Known, Snapshot, WriteError},
    graph::{Graph, change::Note, digest::Digest},
    notes::Notes,
    store::{Entry, Store},
    transfer,
};
use schema::{Kind, Schema};
use serde_json::{Value as Json, json};
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::time::sleep;

const REPLICAS: usize = 4;
const WRITERS: usize = 6;
const READERS: usize = 4;
const SECOND: Duration = Duration::from_secs(1);

/// What became of a write, as its client was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Done(u64),
    Nothing,
    Unknown,
}

/// What was seen and told while it ran.
#[derive(Default)]
struct History {
    /// Each write by the name of its note.
    writes: BTreeMap<String, Told>,
    /// What each revision was, whoever showed it.
    states: HashMap<u64, (Digest, usize)>,
    /// What each state was, by its name.
    named: HashMap<String, Digest>,
    reads: u64,
    late: u64,
}

impl History {
    /// Two replicas never show different graphs under one revision, or under one name.
    fn saw(&mut self, snapshot: &Snapshot) {
        self.reads += 1;
        let seen = (snapshot.graph.digest(), snapshot.notes.under("").count());
        let known = *self.states.entry(snapshot.revision).or_insert(seen);
        assert_eq!(known, seen, "revision {} is shown in two forms", snapshot.revision);
        let named = *self.named.entry(snapshot.state()).or_insert(seen.0);
        assert_eq!(named, seen.0, "state {} is shown in two forms", snapshot.state());
    }
}

/// What stands between a replica and the store.
pub enum Disturbed {
    Store(Arc<Flaky>),
    #[cfg(feature = "real-neo4j")]
    Proxy(Proxy),
}

impl Disturbed {
    fn mend(&self) {
        match self {
            Self::Store(flaky) => flaky.set(Mode::Well),
            #[cfg(feature = "real-neo4j")]
            Self::Proxy(proxy) => proxy.set(Pass::Through),
        }
    }

    /// Well in one of five cases; gone and silent now and then; in most cases unreliable.
    fn disturb(&self, random: &mut StdRng) {
        let roll = random.random_range(0..10);
        match self {
            Self::Store(flaky) => flaky.set(match roll {
                0..2 => Mode::Well,
                2 => Mode::Gone,
                3 => Mode::Hung,
                _ => Mode::Chaos,
            }),
            #[cfg(feature = "real-neo4j")]
            Self::Proxy(proxy) => proxy.set(match roll {
                0..2 => Pass::Through,
                2 => Pass::Cut,
                3 => Pass::Hung,
                4 => Pass::HalfOpen,
                5..8 => Pass::AnswerLost,
                _ => Pass::Delayed(Duration::from_millis(random.random_range(1..20))),
            }),
        }
    }
}

type Member = (Replica, Disturbed);

struct World {
    store: Arc<dyn Store>,
    member: Box<dyn Fn(u64) -> BoxFuture<'static, Member> + Send + Sync>,
    replicas: Vec<Mutex<Member>>,
    history: Mutex<History>,
    documents: Vec<Json>,
}

impl World {
    fn federation(&self, which: usize) -> Arc<Federation> {
        Arc::clone(&self.replicas[which].lock().unwrap().0.federation)
    }

    /// Writes to random replicas, and reads its own writes on others.
    async fn write(self: Arc<Self>, writer: usize, seed: u64, until: Instant) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut known: Option<Known> = None;
        for n in 0.. {
            if Instant::now() > until {
                return;
            }
            let federation = self.federation(random.random_range(0..REPLICAS));
            let key = format!("model/{writer}/{n}");
            let json = edited(&self.documents[random.random_range(0..self.documents.len())], random.random());
            let note = Note { key: key.clone(), value: Some(json!(n)) };
            let written = put(&federation, json, random.random_bool(0.25), Some(note)).await;
            let told = match written {
                Ok(written) => {
                    let snapshot = written.snapshot;
                    assert!(snapshot.notes.get(&key).is_some(), "a writer sees its own write");
                    if let Some(Known { revision, .. }) = known {
                        assert!(snapshot.revision > revision, "its revision is a new one");
                    }
                    known = Known::parse(&snapshot.position());
                    self.history.lock().unwrap().saw(&snapshot);
                    Told::Done(snapshot.revision)
                }
                Err(WriteError::Unknown) => Told::Unknown,
                Err(
                    WriteError::Refused(_)
                    | WriteError::ReadOnly(_)
                    | WriteError::Busy(_)
                    | WriteError::Store(_),
                ) => Told::Nothing,
                Err(other) => panic!("{other}"),
            };
            self.history.lock().unwrap().writes.insert(key.clone(), told);
            if told == Told::Nothing {
                sleep(Duration::from_millis(random.random_range(1..30))).await;
            } else if let (Told::Done(_), Some(known)) = (told, &known) {
                let other = self.federation(random.random_range(0..REPLICAS));
                if other.at_least(known, SECOND / 5, true).await.is_ok() {
                    let snapshot = other.snapshot();
                    assert!(snapshot.revision >= known.revision);
                    assert!(snapshot.notes.get(&key).is_some(), "{key} is not on another replica");
                } else {
                    self.history.lock().unwrap().late += 1;
                }
            }
        }
    }

    /// One client that goes from replica to replica and sends along what it knows: it never sees time go backwards.
    async fn read(self: Arc<Self>, seed: u64, until: Instant) {
        let mut random = StdRng::seed_from_u64(seed);
        let mut known: Option<Known> = None;
        while Instant::now() < until {
            let federation = self.federation(random.random_range(0..REPLICAS));
            let new_enough = match &known {
                Some(known) => federation.at_least(known, SECOND / 5, true).await.is_ok(),
                None => true,
            };
            if new_enough {
                let snapshot = federation.snapshot();
                assert!(known.as_ref().is_none_or(|known| snapshot.revision >= known.revision));
                known = Known::parse(&snapshot.position());
                self.history.lock().unwrap().saw(&snapshot);
            } else {
                self.history.lock().unwrap().late += 1;
            }
            sleep(Duration::from_millis(random.random_range(1..10))).await;
        }
    }

    /// Makes stores fail and replicas end and start again.
    async fn disturb(self: Arc<Self>, seed: u64, until: Instant) {
        let mut random = StdRng::seed_from_u64(seed);
        while Instant::now() < until {
            let which = random.random_range(0..REPLICAS);
            let restart = random.random_bool(0.1);
            let seed = random.random();
            if restart {
                // what it has under way goes on, as packets of a killed process do
                let member = (self.member)(seed).await;
                *self.replicas[which].lock().unwrap() = member;
            }
            self.replicas[which].lock().unwrap().1.disturb(&mut random);
            sleep(Duration::from_millis(random.random_range(20..400))).await;
        }
    }

    /// Everything is one: the store, each replica, a replay of the log, and what clients were told.
    async fn judge(&self) {
        for replica in &self.replicas {
            replica.lock().unwrap().1.mend();
        }
        // what still hangs between a replica and its store settles with the next write
        for which in 0..REPLICAS {
            let federation = self.federation(which);
            let key = format!("last/{which}");
            let written = async || crate::world::note(&federation, &key).await.is_ok();
            until("written once more", SECOND * 30, written).await;
        }
        let stored = transfer::take(&*self.store, true).await.unwrap();
        let stored_snapshot = Snapshot::of(Schema::get(), stored.loaded.clone(), 0).unwrap();
        for which in 0..REPLICAS {
            let federation = self.federation(which);
            let arrived = async || federation.snapshot().revision == stored_snapshot.revision;
            until("all have everything", SECOND * 5, arrived).await;
            let snapshot = federation.snapshot();
            assert_eq!(transfer::difference(&stored_snapshot, &snapshot), None, "replica {which}");
            assert!(snapshot.graph.indices_hold());
        }
        let history = self.history.lock().unwrap();
        let (replayed, notes, found) = replay(&stored.log, &history);
        assert!(replayed.export() == stored_snapshot.graph.export(), "the store is what its log says");
        assert_eq!(replayed.digest(), stored_snapshot.graph.digest());
        assert_eq!(notes, stored_snapshot.notes);
        for kind in Kind::ALL {
            let uids =
                |graph: &Graph| graph.all(*kind).iter().map(|id| graph.record(id).uid).collect::<Vec<_>>();
            assert_eq!(uids(&replayed), uids(&stored_snapshot.graph), "order of {kind:?}");
        }
        let mut counts = [0; 3];
        for (key, told) in &history.writes {
            match (told, found.get(key)) {
                (Told::Done(revision), Some(at)) => {
                    counts[0] += 1;
                    assert_eq!(revision, at, "{key} was acknowledged under another revision");
                }
                (Told::Done(revision), None) => panic!("{key} was acknowledged at {revision} and is lost"),
                (Told::Nothing, Some(at)) => panic!("{key} was said not to be written and is at {at}"),
                (Told::Nothing, None) => counts[1] += 1,
                (Told::Unknown, _) => counts[2] += 1,
            }
        }
        let [done, nothing, unknown] = counts;
        println!(
            "{} revisions: {done} writes acknowledged, {nothing} refused, {unknown} of unknown outcome; {} reads, {} told to \
             come again",
            stored_snapshot.revision, history.reads, history.late
        );
        assert!(done > 0 && history.reads > 100, "something was tried");
    }
}

/// The graph and the notes that the log leads to, and where each write of the history is in it.
fn replay(log: &[Entry], history: &History) -> (Graph, Notes, HashMap<String, u64>) {
    let (mut graph, mut notes, mut found) = (Graph::empty(Schema::get()), Notes::default(), HashMap::new());
    let mut ids = HashMap::new();
    for (place, entry) in (1_u64..).zip(log) {
        assert_eq!(entry.revision, place, "revisions have no gap");
        assert_eq!(ids.insert(entry.id.clone(), place), None, "no commit is there twice");
        graph = graph.apply(&entry.changes).unwrap();
        notes = notes.apply(&entry.changes.notes);
        assert_eq!(entry.digest, Some(graph.digest()), "revision {place} leads where it says");
        if let Some((digest, count)) = history.states.get(&place) {
            assert_eq!(
                (*digest, *count),
                (graph.digest(), notes.under("").count()),
                "revision {place} as it was read"
            );
        }
        for note in entry.changes.notes.iter().filter(|note| note.key.starts_with("model/")) {
            assert_eq!(found.insert(note.key.clone(), place), None, "{} is there twice", note.key);
        }
    }
    (graph, notes, found)
}

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

pub async fn check(
    store: Arc<dyn Store>,
    seconds: u64,
    member: impl Fn(u64) -> BoxFuture<'static, Member> + Send + Sync + 'static,
) {
    let seed = setting("FEDREG_MODEL_SEED").unwrap_or_else(|| rand::rng().random());
    let seconds = setting("FEDREG_MODEL_SECONDS").unwrap_or(seconds);
    println!("FEDREG_MODEL_SEED={seed} FEDREG_MODEL_SECONDS={seconds}");
    let mut random = StdRng::seed_from_u64(seed);
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(Mutex::new(member(random.random()).await));
    }
    let (member, history) = (Box::new(member), Mutex::default());
    let world = World { store, member, replicas, history, documents: documents() };
    let world = Arc::new(world);
    let end = Instant::now() + SECOND * u32::try_from(seconds).unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        tasks.spawn(Arc::clone(&world).write(writer, random.random(), end));
    }
    for _ in 0..READERS {
        tasks.spawn(Arc::clone(&world).read(random.random(), end));
    }
    tasks.spawn(Arc::clone(&world).disturb(random.random(), end));
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    world.judge().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn however_it_is_disturbed_all_replicas_hold_what_was_acknowledged() {
    let (store, _folder) = embedded(u64::MAX);
    let inner = Arc::clone(&store);
    let member = move |seed: u64| -> BoxFuture<'static, Member> {
        let flaky = Flaky::new(Arc::clone(&inner), seed);
        Box::pin(async move {
            let replica = replica(Arc::clone(&flaky) as Arc<dyn Store>, seed).await;
            (replica, Disturbed::Store(flaky))
        })
    };
    check(store, 20, member).await;
}
