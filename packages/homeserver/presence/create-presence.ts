import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { serverNameOf } from '@causeway/matrix/ids/user-id.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import type { Homeserver } from '../homeserver.ts'
import { createPresenceBook, type PresenceBook } from './presence-book.ts'
import type { Presence } from './presence.ts'
import { RemotePresence } from './remote-presence.ts'

type Deps = Pick<
  Homeserver,
  'serverName' | 'config' | 'clock' | 'volatile' | 'notifier' | 'rooms' | 'log' | 'bus'
>

/** How often it is looked who has gone, while anybody is there. */
const SWEEP_MS = 5_000

const NOTHING: Presence = {
  noteSync: () => undefined,
  noteActive: () => undefined,
  set: () => undefined,
  hear: () => Promise.resolve(),
  of: () => undefined,
  changedSince: () => [],
  present: () => [],
}

/** Presence of the users of this server, and of others as we hear of them; where it is switched off, nobody has any, and asking costs nothing. */
export function createPresence(hs: Deps): Presence {
  if (!hs.config.presence.enabled) return NOTHING
  const book = createPresenceBook(hs.clock, hs.volatile)
  const others = new RemotePresence(hs.clock, hs.volatile)
  const bookOf = (userId: UserId) => (serverNameOf(userId) === hs.serverName ? book : others)
  const announce = (userId: UserId): void => {
    hs.notifier.wakeUser(userId)
    // Not in memory: nobody who shares a room with the user waits because of them; they see it when they look.
    for (const roomId of hs.rooms.members.peekRoomsOf(userId)?.joined ?? []) hs.notifier.wakeRoom(roomId)
  }
  const sweep = startSweep(hs, [book, others], announce)
  const changed = (userId: UserId, isNews: boolean): void => {
    if (isNews) announce(userId)
    sweep()
  }
  followLog(hs, (userId) => {
    if (book.act(userId)) announce(userId)
  })
  return {
    noteSync: (userId, state, deviceId) => changed(userId, book.claim(userId, deviceId ?? '', state)),
    noteActive: (userId) => changed(userId, book.act(userId)),
    set: (userId, state, statusMsg) => changed(userId, book.set(userId, state, statusMsg)),
    async hear(userId, heard) {
      const isNews = others.hear(userId, heard)
      // Those who share a room are found by the rooms of the user, which need not be in memory.
      if (isNews) await hs.rooms.members.roomsOf(userId)
      changed(userId, isNews)
    },
    of: (userId) => bookOf(userId).of(userId),
    changedSince: (volatile) => [...book.changedSince(volatile), ...others.changedSince(volatile)],
    present: () => [...book.present(), ...others.present()],
  }
}

/** One timer for all users, and none while nobody is there. */
function startSweep(
  { clock }: Deps,
  books: readonly Pick<PresenceBook, 'isEmpty' | 'sweep'>[],
  announce: (userId: UserId) => void,
): () => void {
  let isArmed = false
  const arm = (): void => {
    if (isArmed || books.every((book) => book.isEmpty())) return
    isArmed = true
    clock.setTimeout(
      () => {
        isArmed = false
        for (const book of books) book.sweep().forEach(announce)
        arm()
      },
      SWEEP_MS,
      { unref: true },
    )
  }
  return arm
}

/** Whoever sends or reads is active. Only of people who are known to be there, so that bridges cost nothing. */
function followLog({ log, bus }: Deps, act: (userId: UserId) => void): void {
  let seen = log.head()
  bus.subscribe(() => {
    const entries = log.ring.since(seen)
    seen = log.head()
    if (entries === 'fell-behind') return
    for (const entry of entries) {
      const userId = actorOf(entry)
      if (userId !== undefined) act(userId)
    }
  })
}

function actorOf(entry: LogEntry): UserId | undefined {
  if (entry.kind === 'event') return entry.event.sender
  return entry.kind === 'receipt' ? entry.userId : undefined
}
