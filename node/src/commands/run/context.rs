//! What commands about keys may access. A read context has no write method, so a `Read` that writes
//! does not compile; no context has a socket, a clock or its own random source.

use std::cell::{Cell, RefCell};

use bytes::Bytes;

use crate::base::feature_level::FeatureLevel;
use crate::base::ids::DatabaseId;
pub use crate::base::random::Random;
use crate::data::keyspace::{Database, Event, EventClass, Keyspace, Object, Settings, Settled};
use crate::data::types::{TypedValue, Value};
use crate::resp::ReplyError;

/// What a `Read` command sees: one database at one time.
#[derive(Debug)]
pub struct ReadContext<'a> {
    keyspace: &'a Keyspace,
    database: DatabaseId,
    now_ms: u64,
    random: RefCell<Random>,
    touches: Option<Touches>,
    lookups: Cell<Lookups>,
}

/// How many keys a command looked up with and without success.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lookups {
    /// `keyspace_hits`
    pub hits: u64,
    /// `keyspace_misses`
    pub misses: u64,
}

/// Random numbers for access stamps. Stamps differ between replicas, so they must not use the
/// random source of the commands.
#[derive(Debug, Clone)]
struct Touches(Cell<u64>);

impl Touches {
    const fn new(seed: u64) -> Self {
        Self(Cell::new(!seed))
    }

    fn touch(&self, object: &Object, settings: &Settings, now_ms: u64) {
        object.touch(settings.access_rule(), now_ms, || {
            let mut random = Random::new(self.0.get());
            let draw = random.fraction();
            self.0.set(random.state());
            draw
        });
    }
}

impl<'a> ReadContext<'a> {
    /// `seed` is for commands such as RANDOMKEY.
    pub const fn new(keyspace: &'a Keyspace, database: DatabaseId, now_ms: u64, seed: u64) -> Self {
        let random = RefCell::new(Random::new(seed));
        let touches = Some(Touches::new(seed));
        let lookups = Cell::new(Lookups { hits: 0, misses: 0 });
        Self { keyspace, database, now_ms, random, touches, lookups }
    }

    /// Reads that do not count as uses of a key (`CLIENT NO-TOUCH`).
    pub fn without_touch(self) -> Self {
        Self { touches: None, ..self }
    }

    /// The time of this read, Unix milliseconds.
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// A number below `bound`, which must not be 0.
    pub fn random_below(&self, bound: usize) -> usize {
        self.random.borrow_mut().below(bound)
    }

    /// Draws from this read's random source.
    pub fn draw<T>(&self, draw: impl FnOnce(&mut Random) -> T) -> T {
        draw(&mut self.random.borrow_mut())
    }

    /// All databases.
    pub const fn keyspace(&self) -> &'a Keyspace {
        self.keyspace
    }

    /// The selected database.
    pub fn database(&self) -> &'a Database {
        self.keyspace.database(self.database)
    }

    /// The selected database's number.
    pub const fn database_id(&self) -> DatabaseId {
        self.database
    }

    /// Cluster-wide parameters.
    pub const fn settings(&self) -> &'a Settings {
        &self.keyspace.settings
    }

    /// The live object of a key. Counts as a use of the key.
    pub fn object(&self, key: &[u8]) -> Option<&'a Object> {
        let object = self.peek(key)?;
        if let Some(touches) = &self.touches {
            touches.touch(object, self.settings(), self.now_ms);
        }
        Some(object)
    }

    /// The live object of a key, without counting as a use (EXISTS, TYPE, TTL, OBJECT).
    pub fn peek(&self, key: &[u8]) -> Option<&'a Object> {
        let object = self.database().find(key, self.now_ms);
        let mut lookups = self.lookups.get();
        if object.is_some() {
            lookups.hits += 1;
        } else {
            lookups.misses += 1;
        }
        self.lookups.set(lookups);
        object
    }

    /// Lookups of keys so far.
    pub const fn lookups(&self) -> Lookups {
        self.lookups.get()
    }

    /// The value of a key as one type; WRONGTYPE for another.
    pub fn get<T: TypedValue + 'a>(&self, key: &[u8]) -> Result<Option<&'a T>, ReplyError> {
        self.object(key)
            .map(|object| T::of(&object.value).ok_or(ReplyError::WRONG_TYPE))
            .transpose()
    }
}

/// What to do with the expiry of a key that is overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expiry {
    /// Remove the expiry.
    Clear,
    /// Keep it (`KEEPTTL`).
    Keep,
    /// Set it to this Unix millisecond.
    At(u64),
}

/// What a `Write` command sees inside apply: one database, with the entry's time and seed.
#[derive(Debug)]
pub struct WriteContext<'a> {
    keyspace: &'a mut Keyspace,
    database: DatabaseId,
    now_ms: u64,
    index: u64,
    random: Random,
    touches: Touches,
    events: &'a mut Vec<Event>,
    feature_level: FeatureLevel,
}

impl<'a> WriteContext<'a> {
    /// `index` is the log index of the entry; `seed` must differ for every command of an entry.
    pub const fn new(
        keyspace: &'a mut Keyspace,
        database: DatabaseId,
        now_ms: u64,
        index: u64,
        seed: u64,
        events: &'a mut Vec<Event>,
    ) -> Self {
        let (random, touches) = (Random::new(seed), Touches::new(seed));
        let feature_level = FeatureLevel::HIGHEST;
        Self { keyspace, database, now_ms, index, random, touches, events, feature_level }
    }

    /// The same in a cluster that runs at this feature level.
    pub const fn at_level(self, feature_level: FeatureLevel) -> Self {
        Self { feature_level, ..self }
    }

    /// The level that every replica which executes the entry understands. A command whose meaning
    /// has changed with a level must do below that level what it did before, or replicas of two
    /// versions differ.
    pub const fn feature_level(&self) -> FeatureLevel {
        self.feature_level
    }

    /// The entry's time, Unix milliseconds.
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The entry's log index.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The entry's random source.
    pub const fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// The same state, for reading.
    pub const fn read(&self) -> ReadContext<'_> {
        ReadContext::new(self.keyspace, self.database, self.now_ms, self.random.state())
    }

    /// Cluster-wide parameters.
    pub const fn settings(&self) -> &Settings {
        &self.keyspace.settings
    }

    /// All databases, to change: FLUSHALL, SWAPDB, MOVE, COPY … DB.
    pub const fn keyspace(&mut self) -> &mut Keyspace {
        self.keyspace
    }

    /// The selected database.
    pub fn database(&mut self) -> &mut Database {
        self.keyspace.database_mut(self.database)
    }

    /// The selected database's number.
    pub const fn database_id(&self) -> DatabaseId {
        self.database
    }

    /// The live object of a key. Counts as a use of the key.
    pub fn object(&self, key: &[u8]) -> Option<&Object> {
        let object = self.peek(key)?;
        self.touches.touch(object, self.settings(), self.now_ms);
        Some(object)
    }

    /// The live object of a key, without counting as a use.
    pub fn peek(&self, key: &[u8]) -> Option<&Object> {
        self.keyspace.database(self.database).find(key, self.now_ms)
    }

    /// The value of a key as one type; WRONGTYPE for another.
    pub fn get<T: TypedValue>(&self, key: &[u8]) -> Result<Option<&T>, ReplyError> {
        self.object(key)
            .map(|object| T::of(&object.value).ok_or(ReplyError::WRONG_TYPE))
            .transpose()
    }

    /// The value of a key as one type, to change. After a change call [`WriteContext::changed`].
    pub fn get_mut<T: TypedValue>(&mut self, key: &[u8]) -> Result<Option<&mut T>, ReplyError> {
        let (now_ms, keyspace) = (self.now_ms, &mut *self.keyspace);
        let (database, settings) = keyspace.database_and_settings(self.database);
        let Some(object) = database.find_mut(key, now_ms) else { return Ok(None) };
        self.touches.touch(object, settings, now_ms);
        T::of_mut(&mut object.value).ok_or(ReplyError::WRONG_TYPE).map(Some)
    }

    /// As [`WriteContext::get_mut`], but creates an empty value first if there is none. The caller
    /// must add to it and call [`WriteContext::changed`], because no key may have an empty value.
    pub fn get_or_create<T: TypedValue>(&mut self, key: &Bytes) -> Result<&mut T, ReplyError> {
        if self.peek(key).is_none() {
            let value = T::empty(&self.keyspace.settings).into_value();
            self.store(key, Object::new(value, None, self.index));
        }
        self.get_mut(key).map(|value| value.expect("created above"))
    }

    /// Stores a value in place of any other, and records `event`.
    pub fn put(
        &mut self,
        key: &Bytes,
        value: Value,
        expiry: Expiry,
        event: (EventClass, &'static str),
    ) {
        let expire_at_ms = match expiry {
            Expiry::Clear => None,
            Expiry::At(deadline) => Some(deadline),
            Expiry::Keep => self.peek(key).and_then(|object| object.expire_at_ms),
        };
        self.store(key, Object::new(value, expire_at_ms, self.index));
        self.notify(key, event);
    }

    /// Stores an object as used now, and records the expiry of an expired object that it replaces.
    fn store(&mut self, key: &Bytes, object: Object) {
        object.set_access(self.settings().access_rule().new_stamp(self.now_ms));
        let Some(old) = self.database().insert(key, object) else { return };
        if old.is_expired(self.now_ms) {
            self.notify(key, (EventClass::Expired, "expired"));
        }
        old.discard();
    }

    /// Removes a live key without recording an event, and returns its object, if any.
    pub fn remove(&mut self, key: &[u8]) -> Option<Object> {
        let (now_ms, index) = (self.now_ms, self.index);
        let old = self.database().remove(key, index)?;
        if old.is_expired(now_ms) {
            self.notify(&Bytes::copy_from_slice(key), (EventClass::Expired, "expired"));
            return None;
        }
        Some(old)
    }

    /// To be called after a change in place: new version, new size, the event, and removal (with a
    /// `del` event) if the collection became empty.
    pub fn changed(&mut self, key: &Bytes, event: (EventClass, &'static str)) {
        let (now_ms, index) = (self.now_ms, self.index);
        let outcome = self.database().settle(key, index, now_ms);
        if outcome == Settled::Missing {
            return;
        }
        self.notify(key, event);
        if outcome == Settled::Removed {
            self.notify(key, (EventClass::Generic, "del"));
        }
    }

    /// Records an event of a key and changes nothing.
    pub fn notify(&mut self, key: &Bytes, event: (EventClass, &'static str)) {
        self.notify_in(self.database, key, event);
    }

    /// As [`WriteContext::notify`], in any database.
    pub fn notify_in(
        &mut self,
        database: DatabaseId,
        key: &Bytes,
        (class, name): (EventClass, &'static str),
    ) {
        self.events.push(Event { class, name, database, key: key.clone() });
    }
}
