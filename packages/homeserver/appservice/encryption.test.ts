import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { LogEntry } from '@causeway/store/log/entry.ts'
import { findServerDrivers, type TestLogin } from '../test-server.ts'
import type { AppserviceRegistration } from './registration.ts'
import { readAppserviceEntries } from './read-entries.ts'
import { room, startStage, V3, type Stage } from './test-stage.ts'

const TO_DEVICE = 'de.sorunome.msc2409.to_device'
const LISTS = 'org.matrix.msc3202.device_lists'
const COUNTS = 'org.matrix.msc3202.device_one_time_keys_count'
const OLD_COUNTS = 'org.matrix.msc3202.device_one_time_key_counts'
const FALLBACK = 'org.matrix.msc3202.device_unused_fallback_key_types'
const ALGORITHM = 'signed_curve25519'

const WANTED: Partial<AppserviceRegistration> = {
  receive_ephemeral: true,
  'org.matrix.msc3202': true,
  namespaces: {
    users: [
      { exclusive: true, regex: '@_irc_.*' },
      { exclusive: false, regex: '@shared_.*' },
    ],
    aliases: [],
    rooms: [],
  },
}
const ENCRYPTED = {
  type: 'm.room.encryption',
  state_key: '',
  content: { algorithm: 'm.megolm.v1.aes-sha2' },
}
const encryptedRoom = { preset: 'public_chat', initial_state: [ENCRYPTED] }

let numbers = 0

/** What was sent to a device of the appservice: the numbers in the messages, in order. */
const numbersIn = (transactions: readonly JsonObject[]): unknown[] =>
  transactions.flatMap((body) => ((body[TO_DEVICE] ?? []) as JsonObject[]).map(numberOf))
const numberOf = ({ content }: JsonObject): unknown => (content as JsonObject)['n']

/** What was last said of a user's devices. */
function toldOf({ irc }: Stage, userId: string, from = 0): 'changed' | 'left' | undefined {
  let told: 'changed' | 'left' | undefined
  for (const body of irc.transactions().slice(from)) {
    const { changed, left } = (body[LISTS] ?? { changed: [], left: [] }) as Record<string, string[]>
    if (changed!.includes(userId)) told = 'changed'
    if (left!.includes(userId)) told = 'left'
  }
  return told
}

const keysOf = (userId: string, deviceId: string): JsonObject => ({
  user_id: userId,
  device_id: deviceId,
  algorithms: ['m.olm.v1.curve25519-aes-sha2'],
  keys: { [`curve25519:${deviceId}`]: `abc${numbers++}`, [`ed25519:${deviceId}`]: 'def' },
  signatures: { [userId]: { [`ed25519:${deviceId}`]: 'ghi' } },
})

/** A ghost with a device that has published its keys. */
async function makeDevice(stage: Stage, name: string, roomId: string): Promise<[string, string]> {
  const ghost = await stage.joinGhost(name, roomId)
  const deviceId = `DEVICE_${name}`
  const url = `${V3}/devices/${deviceId}?user_id=${encodeURIComponent(ghost)}`
  const made = await stage.server.request('PUT', url, { token: stage.asToken, body: {} })
  assert.equal(made.status, 201)
  await stage.callAs(ghost, 'POST', `${V3}/keys/upload?device_id=${deviceId}`, {
    device_keys: keysOf(ghost, deviceId),
  })
  return [ghost, deviceId]
}

async function sendTo(stage: Stage, messages: JsonObject, token = stage.alice): Promise<void> {
  const url = `${V3}/sendToDevice/org.example.note/n${numbers++}`
  const answer = await stage.server.request('PUT', url, { token, body: { messages } })
  assert.equal(answer.status, 200, JSON.stringify(answer.json()))
}

async function storedFor(stage: Stage, userId: string): Promise<number> {
  const { db } = stage.server.hs
  const rows = await db.query('SELECT position FROM to_device WHERE user_id = ?', [userId])
  return rows.length
}

async function join(stage: Stage, { token }: TestLogin, roomId: string): Promise<void> {
  const url = `${V3}/join/${encodeURIComponent(roomId)}`
  assert.equal((await stage.server.request('POST', url, { token, body: {} })).status, 200)
}

async function publish(stage: Stage, { token, userId, deviceId }: TestLogin): Promise<void> {
  const body = { device_keys: keysOf(userId, deviceId) }
  const answer = await stage.server.request('POST', `${V3}/keys/upload`, { token, body })
  assert.equal(answer.status, 200)
}

/** Resolves when what was done by now is with the appservice: it gets what is said last, last. */
async function settled(stage: Stage, roomId: string): Promise<void> {
  const eventId = await stage.say(roomId, 'that is all')
  await stage.irc.until(() => stage.irc.events().some(({ event_id: id }) => id === eventId))
}

for (const driver of await findServerDrivers()) {
  describe(`encryption for appservices on ${driver.name}`, { skip: driver.skip }, () => {
    let stage: Stage
    let roomId: string
    before(async () => {
      stage = await startStage(driver, WANTED)
      roomId = await stage.makeRoom(encryptedRoom)
    })
    after(() => stage[Symbol.asyncDispose]())

    it('hands over messages to devices of its accounts, and deletes them once that was acknowledged', async () => {
      const { irc } = stage
      const [ghost, device] = await makeDevice(stage, 'reader', roomId)
      const person = await stage.server.register('shared_person')
      await settled(stage, roomId)
      const start = irc.requests.length
      irc.answer = () => ({ status: 503 })
      await sendTo(stage, { [ghost]: { [device]: { n: 1 } }, [person.userId]: { '*': { n: 'personal' } } })
      const tries = (): string[] =>
        irc.requests.slice(start).flatMap(({ body }) => (body.includes(TO_DEVICE) ? [body] : []))
      await irc.until(() => tries().length > 1)
      assert.equal(await storedFor(stage, ghost), 1)
      await stage.restart()
      assert.equal(await storedFor(stage, ghost), 1)
      irc.answer = () => ({ status: 200 })
      await irc.until(() => numbersIn(irc.transactions()).includes(1))
      await settled(stage, roomId)
      assert.equal(new Set(tries()).size, 1, 'it came again with other contents')
      assert.equal(await storedFor(stage, ghost), 0)
      const [message] = (JSON.parse(tries()[0]!) as JsonObject)[TO_DEVICE] as JsonObject[]
      assert.deepEqual(message, {
        to_user_id: ghost,
        to_device_id: device,
        type: 'org.example.note',
        sender: '@alice:test.example',
        content: { n: 1 },
      })
      assert.equal(numbersIn(irc.transactions()).includes('personal'), false)
      assert.equal(await storedFor(stage, person.userId), 1, 'somebody with a client of their own')
    })

    it('keeps the order of messages to devices and events, a hundred together at most', async () => {
      const { irc } = stage
      const [ghost, device] = await makeDevice(stage, 'orderly', roomId)
      await settled(stage, roomId)
      const start = irc.transactions().length
      irc.answer = () => ({ status: 503 })
      for (let n = 0; n < 110; n++) await sendTo(stage, { [ghost]: { [device]: { n } } })
      const eventId = await stage.say(roomId, 'for which one needs the keys')
      await sendTo(stage, { [ghost]: { [device]: { n: 110 } } })
      await stage.caughtUp()
      irc.answer = () => ({ status: 200 })
      const got = (): JsonObject[] => irc.transactions().slice(start)
      await irc.until(() => numbersIn(got()).includes(110))
      assert.deepEqual(
        numbersIn(got()),
        Array.from({ length: 111 }, (_, n) => n),
      )
      const at = got().findIndex(({ events }) =>
        (events as JsonObject[]).some((e) => e['event_id'] === eventId),
      )
      assert.ok(at >= 0)
      assert.ok(numbersIn(got().slice(0, at + 1)).includes(109), 'the event came before its keys')
      for (const { events, [TO_DEVICE]: messages } of got()) {
        assert.ok((events as []).length + ((messages ?? []) as []).length <= 100)
      }
      await settled(stage, roomId)
      assert.equal(await storedFor(stage, ghost), 0)
    })

    it('leaves out what was for a device that is gone', async () => {
      const { irc } = stage
      const [ghost, device] = await makeDevice(stage, 'gone', roomId)
      await settled(stage, roomId)
      const start = irc.requests.length
      irc.answer = () => ({ status: 503 })
      await stage.say(roomId, 'opens the transaction')
      await irc.until(() => irc.requests.length > start)
      await sendTo(stage, { [ghost]: { [device]: { n: 'too late' } } })
      await stage.caughtUp()
      await stage.callAs(ghost, 'DELETE', `${V3}/devices/${device}`, {})
      irc.answer = () => ({ status: 200 })
      await settled(stage, roomId)
      assert.equal(numbersIn(irc.transactions()).includes('too late'), false)
    })

    it('tells whose devices changed and who shares no room any more', async () => {
      const [carol, dave] = [await stage.server.register('carol'), await stage.server.register('dave')]
      await settled(stage, roomId)
      await publish(stage, carol)
      await settled(stage, roomId)
      assert.equal(toldOf(stage, carol.userId), undefined, 'she shares no room with it')
      await join(stage, carol, roomId)
      await settled(stage, roomId)
      assert.equal(toldOf(stage, carol.userId), 'changed', 'she came into an encrypted room')
      const before = stage.irc.transactions().length
      await publish(stage, carol)
      await settled(stage, roomId)
      assert.equal(toldOf(stage, carol.userId, before), 'changed')
      const second = await stage.makeRoom()
      await join(stage, carol, second)
      await join(stage, dave, second)
      const ghost = await stage.joinGhost('second', second)
      await settled(stage, second)
      assert.equal(toldOf(stage, dave.userId), undefined, 'the room is not encrypted')
      await stage.call('PUT', `${room(second)}/state/m.room.encryption`, ENCRYPTED.content)
      await settled(stage, second)
      assert.equal(toldOf(stage, dave.userId), 'changed')
      const leave = (roomId: string, token: string) =>
        stage.server.request('POST', `${room(roomId)}/leave`, { token, body: {} })
      await leave(roomId, carol.token)
      await settled(stage, roomId)
      assert.equal(toldOf(stage, carol.userId), 'changed', 'there is another room')
      await stage.callAs(ghost, 'POST', `${room(second)}/leave`, {})
      await settled(stage, roomId)
      assert.equal(toldOf(stage, carol.userId), 'left')
      assert.equal(toldOf(stage, dave.userId), 'left')
      assert.notEqual(toldOf(stage, '@alice:test.example'), 'left')
      await stage.callAs(ghost, 'POST', `${V3}/join/${encodeURIComponent(second)}`, {})
      await settled(stage, second)
      assert.equal(toldOf(stage, dave.userId), 'changed')
      await leave(second, dave.token)
      await settled(stage, second)
      assert.equal(toldOf(stage, dave.userId), 'left')
    })

    it('tells how many keys are left when some were handed out, and of fallback keys that were used', async () => {
      const { irc } = stage
      const [ghost, device] = await makeDevice(stage, 'keys', roomId)
      const key = (n: number): JsonObject => ({ key: `k${n}`, signatures: {} })
      await stage.callAs(ghost, 'POST', `${V3}/keys/upload?org.matrix.msc3202.device_id=${device}`, {
        one_time_keys: { [`${ALGORITHM}:A`]: key(1), [`${ALGORITHM}:B`]: key(2) },
        fallback_keys: { [`${ALGORITHM}:F`]: { ...key(3), fallback: true } },
      })
      const said = (): unknown[] =>
        irc.transactions().flatMap((body) => {
          const of = (name: string): unknown =>
            (body[name] as Record<string, JsonObject> | undefined)?.[ghost]
          if (of(COUNTS) === undefined) return []
          assert.deepEqual(of(OLD_COUNTS), of(COUNTS))
          return [[of(COUNTS), of(FALLBACK)]]
        })
      const left = (count: number, fallback: string[]): unknown => [
        { [device]: { [ALGORITHM]: count } },
        { [device]: fallback },
      ]
      const expected = [left(1, [ALGORITHM]), left(0, [ALGORITHM]), left(0, [])]
      for (let claims = 1; claims <= 3; claims++) {
        const wish = { [ghost]: { [device]: ALGORITHM, NO_SUCH_DEVICE: ALGORITHM } }
        await stage.call('POST', `${V3}/keys/claim`, { one_time_keys: wish })
        await irc.until(() => said().length >= claims)
        assert.deepEqual(said(), expected.slice(0, claims))
      }
      const rows = await stage.server.hs.db.query('SELECT device_id FROM appservice_key_counts', [])
      assert.deepEqual(rows, [])
      await sendTo(stage, { [ghost]: { [device]: { n: 'with counts' } } })
      await irc.until(() => said().length === 4)
      assert.deepEqual(said()[3], expected[2])
    })

    it('reads from the tables what it did not see in the log', async () => {
      const { rooms, log, db } = stage.server.hs
      const person = await stage.server.register('awaited')
      const from = log.head()
      await publish(stage, person)
      for (let n = 0; n < 5; n++) {
        await sendTo(stage, { [person.userId]: { '*': { n } } })
        await stage.say(roomId, `m${n}`)
      }
      await publish(stage, person)
      const read = readAppserviceEntries(rooms, true)
      const found: LogEntry[] = []
      for (let after = from; after < log.head();) {
        const batch = await read(after, log.head(), 2)
        assert.ok(batch.through > after)
        found.push(...batch.entries)
        after = batch.through
      }
      const kinds = found.map(({ kind }) => kind)
      assert.deepEqual(kinds, [
        ...Array.from({ length: 5 }, () => ['to_device', 'event']).flat(),
        'device_list',
      ])
      assert.equal(db, rooms.db)
    })

    it('says nothing of all this to those who did not ask', async () => {
      const { irc } = stage
      await stage.restart({ receive_ephemeral: true, 'org.matrix.msc3202': false })
      const [ghost, device] = await makeDevice(stage, 'plain', roomId)
      const start = irc.transactions().length
      await sendTo(stage, { [ghost]: { [device]: { n: 'kept' } } })
      await settled(stage, roomId)
      for (const body of irc.transactions().slice(start)) {
        assert.deepEqual(
          Object.keys(body).filter((name) => name !== 'events' && name !== 'ephemeral'),
          [],
        )
      }
      assert.equal(await storedFor(stage, ghost), 1)
    })
  })
}
