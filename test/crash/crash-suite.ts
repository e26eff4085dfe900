import assert from 'node:assert/strict'
import { startCauseway, type Causeway } from '@causeway/testkit/causeway.ts'
import { registerUser, request, type TestUser } from '@causeway/testkit/matrix-client.ts'
import type { SeenEvent } from '@causeway/testkit/matrix-person.ts'
import { textOf } from '@causeway/testkit/text-of.ts'

/** What is to be killed how often, and on what. */
export interface ServerCrashRun {
  /** SQLite unless named. */
  readonly databaseUrl?: string
  readonly rounds: number
  readonly report?: (line: string) => void
}

export interface ServerCrashTotals {
  /** Sends that were answered with an event id. */
  readonly acknowledged: number
  /** Sends that a kill left without an answer, and that were sent again under the same transaction id. */
  readonly retried: number
  /** Of those, how many had been applied: their event was there before they were sent again. */
  readonly foundApplied: number
  /** Requests to `/sync` that went on from a token given out before a kill. */
  readonly tokensOverKill: number
  /** Sends repeated after a restart although they had been answered. */
  readonly repeated: number
}

const ROOMS = 3
const WRITERS = 8
const FILTER = encodeURIComponent(JSON.stringify({ room: { timeline: { limit: 5000 } } }))
const PATIENCE_MS = 180_000

/** A send of a client: its transaction id is its text as well, so that every event tells where it comes from. */
interface Send {
  readonly roomId: string
  readonly transaction: string
}

/** Lets those wait who have no server at the moment. */
interface Gate {
  wait(): Promise<void>
  open(): void
  close(): void
}

function createGate(): Gate {
  let { promise, resolve } = Promise.withResolvers<void>()
  resolve()
  return {
    wait: () => promise,
    open: () => resolve(),
    close: () => ({ promise, resolve } = Promise.withResolvers<void>()),
  }
}

interface World {
  readonly server: Causeway
  readonly writer: TestUser
  readonly reader: TestUser
  readonly rooms: readonly string[]
  readonly gate: Gate
  readonly acknowledged: Map<string, { send: Send; eventId: string }>
  readonly counts: { retried: number; tokensOverKill: number; kills: number }
  /** Nobody sends any more. */
  stopping: boolean
  /** Every send was answered: who syncs has only to catch up. */
  settled: boolean
  /** Called at each acknowledgement. */
  onAcknowledged: () => void
}

/** The answer, or undefined when the server went away before it gave one. Anything but 200 is a fault. */
async function ask(
  { server, gate }: World,
  user: TestUser,
  method: string,
  path: string,
  body?: { body: string },
): Promise<Record<string, unknown> | undefined> {
  await gate.wait()
  const options = {
    token: user.token,
    ...(body === undefined ? {} : { body: { msgtype: 'm.text', ...body } }),
  }
  const answer = await request(server.url, method, `/_matrix/client/v3${path}`, options).catch(
    () => undefined,
  )
  if (answer === undefined) return undefined
  assert.equal(answer.status, 200, `${method} ${path}: ${JSON.stringify(answer.body)}`)
  return answer.body
}

async function sendOnce(world: World, send: Send): Promise<string | undefined> {
  const path = `/rooms/${encodeURIComponent(send.roomId)}/send/m.room.message/${send.transaction}`
  const answer = await ask(world, world.writer, 'PUT', path, { body: send.transaction })
  return answer === undefined ? undefined : textOf(answer['event_id'] as string)
}

/** Sends, and sends again under the same transaction id until there is an answer, as clients do. */
async function keepSending(world: World, writer: number): Promise<void> {
  for (let at = 0; !world.stopping; at++) {
    const send: Send = { roomId: world.rooms[at % ROOMS]!, transaction: `w${writer}-${at}` }
    let eventId = await sendOnce(world, send)
    for (; eventId === undefined; eventId = await sendOnce(world, send)) world.counts.retried++
    world.acknowledged.set(send.transaction, { send, eventId })
    world.onAcknowledged()
  }
}

interface SyncAnswer {
  readonly next_batch: string
  readonly rooms?: {
    readonly join?: Record<
      string,
      { readonly timeline?: { readonly events: SeenEvent[]; limited?: boolean } }
    >
  }
}

/** What somebody who syncs has got, by room in the order of arrival. */
interface Seen {
  readonly byRoom: Map<string, SeenEvent[]>
  readonly ids: Set<string>
}

/** A client that goes on from its last token, whatever happened to the server meanwhile. */
async function keepSyncing(world: World, user: TestUser, seen: Seen): Promise<void> {
  let since = ''
  let kills = 0
  const isDone = (): boolean =>
    world.settled && [...world.acknowledged.values()].every(({ eventId }) => seen.ids.has(eventId))
  while (!isDone()) {
    const from = since === '' ? '' : `&since=${since}`
    const answer = await ask(world, user, 'GET', `/sync?timeout=500&filter=${FILTER}${from}`)
    if (answer === undefined) continue
    if (since !== '' && kills < world.counts.kills) world.counts.tokensOverKill++
    kills = world.counts.kills
    const { next_batch: next, rooms } = answer as unknown as SyncAnswer
    for (const [roomId, room] of Object.entries(rooms?.join ?? {})) {
      const { events = [], limited = false } = room.timeline ?? {}
      assert.ok(!limited || since === '', 'a timeline within the limit has no gap')
      seen.byRoom.set(roomId, [...(seen.byRoom.get(roomId) ?? []), ...events])
      for (const event of events) seen.ids.add(event.event_id)
    }
    since = next
  }
}

/** All of a room from its start, by pages. */
async function readRoom(world: World, roomId: string): Promise<SeenEvent[]> {
  const events: SeenEvent[] = []
  for (let from: string | undefined = ''; from !== undefined;) {
    const token: string = from === '' ? '' : `&from=${from}`
    const path = `/rooms/${encodeURIComponent(roomId)}/messages?dir=f&limit=500${token}`
    const page = (await ask(world, world.reader, 'GET', path)) as { chunk: SeenEvent[]; end?: string }
    events.push(...page.chunk)
    from = page.end
  }
  return events
}

const isMessage = ({ type }: SeenEvent): boolean => type === 'm.room.message'

/** Waits until so many sends were answered. */
function untilAcknowledged(world: World, count: number): Promise<void> {
  const goal = world.acknowledged.size + count
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () =>
        reject(new Error(`${world.acknowledged.size} of ${goal} sends were answered\n${world.server.log()}`)),
      PATIENCE_MS,
    )
    world.onAcknowledged = () => {
      if (world.acknowledged.size < goal) return
      clearTimeout(timer)
      resolve()
    }
  })
}

/**
 * Sends again some of what was answered before the kill, the newest and older ones: each has to be answered with the
 * same event id, and (checked at the end) must not become a second event.
 */
async function repeatSome(world: World): Promise<number> {
  const sent = [...world.acknowledged.values()]
  const step = Math.max(1, Math.floor(sent.length / 10))
  const some = sent.filter((_, at) => at >= sent.length - 10 || at % step === 0)
  for (const { send, eventId } of some) assert.equal(await sendOnce(world, send), eventId, send.transaction)
  return some.length
}

async function open(run: ServerCrashRun): Promise<World> {
  const server = await startCauseway(run.databaseUrl === undefined ? {} : { databaseUrl: run.databaseUrl })
  const [writer, reader] = [
    await registerUser(server.url, 'writer'),
    await registerUser(server.url, 'reader'),
  ]
  const rooms: string[] = []
  for (let at = 0; at < ROOMS; at++) {
    const { room_id: roomId } = await writer.call('POST', '/createRoom', { preset: 'public_chat' })
    await reader.call('POST', `/rooms/${encodeURIComponent(roomId as string)}/join`, {})
    rooms.push(roomId as string)
  }
  const counts = { retried: 0, tokensOverKill: 0, kills: 0 }
  const acknowledged: World['acknowledged'] = new Map()
  const gate = createGate()
  return {
    server,
    writer,
    reader,
    rooms,
    gate,
    acknowledged,
    counts,
    stopping: false,
    settled: false,
    onAcknowledged: () => {},
  }
}

async function killOnce(world: World): Promise<void> {
  await untilAcknowledged(world, 5 + Math.floor(Math.random() * 60))
  // Somewhere within a write.
  await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
  world.gate.close()
  world.counts.kills++
  await world.server.kill()
  await world.server.start()
}

/**
 * Kills the real program with people writing and syncing, again and again: every answered send is in its room once,
 * and only once however often it is sent under the same transaction id; whoever syncs on from a token of before a kill
 * gets every message once, in the order of the room.
 */
export async function runServerCrashRounds(run: ServerCrashRun): Promise<ServerCrashTotals> {
  const world = await open(run)
  await using _server = world.server
  const seen: Seen[] = [
    { byRoom: new Map(), ids: new Set() },
    { byRoom: new Map(), ids: new Set() },
  ]
  let failed: unknown
  const start = (works: readonly Promise<void>[]): Promise<unknown> =>
    Promise.all(works.map((work) => work.catch((error: unknown) => (failed ??= error))))
  const reading = start([
    keepSyncing(world, world.reader, seen[0]!),
    keepSyncing(world, world.writer, seen[1]!),
  ])
  const writing = start(Array.from({ length: WRITERS }, (_, at) => keepSending(world, at)))
  let [repeated, foundApplied] = [0, 0]
  for (let round = 1; round <= run.rounds && failed === undefined; round++) {
    const before = world.counts.retried
    await killOnce(world)
    // The people still wait for the server: what is looked at now stands still.
    const looking: World = { ...world, gate: createGate() }
    foundApplied += await countApplied(looking)
    repeated += await repeatSome(looking)
    world.gate.open()
    run.report?.(
      `round ${round}: ${world.acknowledged.size} acknowledged, ${world.counts.retried - before} sent again`,
    )
  }
  world.stopping = true
  await writing
  world.settled = true
  await reading
  if (failed !== undefined) throw failed
  await checkRooms(world, seen)
  const { retried, tokensOverKill } = world.counts
  return { acknowledged: world.acknowledged.size, retried, foundApplied, tokensOverKill, repeated }
}

/** Events in the rooms after a kill whose send was not answered. */
async function countApplied(world: World): Promise<number> {
  const events = (await Promise.all(world.rooms.map((roomId) => readRoom(world, roomId)))).flat()
  const answered = new Set([...world.acknowledged.values()].map(({ eventId }) => eventId))
  return events.filter((event) => isMessage(event) && !answered.has(event.event_id)).length
}

async function checkRooms(world: World, seen: readonly Seen[]): Promise<void> {
  const expected = new Map([...world.acknowledged.values()].map(({ send, eventId }) => [eventId, send]))
  let total = 0
  for (const roomId of world.rooms) {
    const stored = (await readRoom(world, roomId)).filter(isMessage)
    total += stored.length
    for (const event of stored) {
      const send = expected.get(event.event_id)
      assert.equal(send?.transaction, textOf(event.content['body']), 'no event but those that were answered')
      assert.equal(send.roomId, roomId)
    }
    const order = stored.map((event) => event.event_id)
    for (const { byRoom } of seen) {
      const got = (byRoom.get(roomId) ?? []).filter(isMessage).map((event) => event.event_id)
      assert.deepEqual(got, order, 'whoever syncs gets each message once, in the order of the room')
    }
  }
  assert.equal(total, expected.size, 'every answered send is there once')
}
