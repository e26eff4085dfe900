import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { findRoomVersion, SUPPORTED_ROOM_VERSIONS } from '@causeway/matrix/room-versions/rules.ts'
import type { MatrixPerson, SeenEvent } from '@causeway/testkit/matrix-person.ts'
import {
  PATIENCE_MS,
  agree,
  at,
  eventually,
  join,
  seeInvite,
  seeMembership,
  setState,
  talk,
} from './rooms.ts'
import type { Side } from './two-servers.ts'

type Sides = () => readonly [hosts: Side, guests: Side]

/** Sees something that is no event of a room's history: typing, a receipt. */
function seeEphemeral<T>(
  person: MatrixPerson,
  roomId: string,
  what: string,
  find: (event: SeenEvent) => T | undefined | false,
): Promise<T> {
  return person.waitInSync(
    what,
    ({ rooms }) => {
      for (const event of rooms?.join?.[roomId]?.ephemeral?.events ?? []) {
        const found = find(event)
        if (found !== undefined && found !== false) return found
      }
      return undefined
    },
    { ms: PATIENCE_MS },
  )
}

function seeTyping(person: MatrixPerson, roomId: string, whom: MatrixPerson): Promise<boolean> {
  return seeEphemeral(person, roomId, `${whom.userId} typing`, ({ type, content }) => {
    return type === 'm.typing' && (content['user_ids'] as string[]).includes(whom.userId)
  })
}

function seeReceipt(
  person: MatrixPerson,
  roomId: string,
  eventId: string,
  whom: MatrixPerson,
): Promise<JsonObject> {
  return seeEphemeral(person, roomId, `${whom.userId} has read ${eventId}`, ({ type, content }) => {
    if (type !== 'm.receipt') return false
    const read = (content[eventId] as JsonObject | undefined)?.['m.read'] as JsonObject | undefined
    return read?.[whom.userId] as JsonObject | undefined
  })
}

const DEVICE = 'org.example.device'

/** One sets state of their own, and the other, who has more power, writes over it. */
async function ownState(strong: MatrixPerson, owner: MatrixPerson, roomId: string): Promise<void> {
  const stateKey = `${owner.userId}_PHONE`
  for (const [setter, reader] of [
    [owner, strong],
    [strong, owner],
  ] as const) {
    const eventId = await setState(setter, roomId, DEVICE, { by: setter.userId }, stateKey)
    await reader.waitFor(roomId, 'owned state', ({ event_id: id }) => id === eventId, PATIENCE_MS)
  }
}

/** What people say and do in a room that both servers are in. */
export function tellOfConversation(sides: Sides): void {
  it('rooms of every version work: state, words in both directions, the same state on both sides', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    for (const version of SUPPORTED_ROOM_VERSIONS) {
      const roomId = await hanna.createRoom({
        preset: 'private_chat',
        room_version: version,
        name: `Room of ${version}`,
        invite: [gero.userId],
        power_level_content_override: { events: { [DEVICE]: 0 } },
      })
      await seeInvite(gero, roomId)
      await join(gero, roomId, hosts)
      await seeMembership(hanna, roomId, gero, 'join')
      await talk(hanna, gero, roomId, `version ${version}`)
      await setState(hanna, roomId, 'm.room.topic', { topic: `of ${version}` })
      await gero.waitFor(roomId, 'the topic', ({ type }) => type === 'm.room.topic', PATIENCE_MS)
      if (findRoomVersion(version)!.ownedState) await ownState(hanna, gero, roomId)
      await agree(hanna, gero, roomId)
    }
  })

  it('what was said is taken back, by its author and by a moderator', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    let slips = 0
    for (const version of ['10', '11']) {
      const roomId = await hanna.createRoom({ room_version: version })
      await join(gero, roomId, hosts)
      const redacted = async (
        author: MatrixPerson,
        reader: MatrixPerson,
        by: MatrixPerson,
      ): Promise<void> => {
        // Each says something else: of a text that came before, nobody can tell whether it has come again.
        const slip = `slip ${++slips} of ${author.userId}`
        const eventId = await author.say(roomId, slip)
        await reader.waitForText(roomId, slip, PATIENCE_MS)
        const redaction = await by.redact(roomId, eventId)
        for (const one of [author, reader]) {
          await one.waitFor(roomId, 'the redaction', ({ event_id: id }) => id === redaction, PATIENCE_MS)
          const read = (): Promise<JsonObject> =>
            one.user.call('GET', `${at(roomId)}/event/${encodeURIComponent(eventId)}`)
          const isGone = ({ content }: JsonObject): boolean => Object.keys(content as JsonObject).length === 0
          const { kind } = one === hanna ? hosts : guests
          // Whoever reads an event at Synapse at that moment may leave the old form in its cache for a while.
          const now =
            kind === 'Causeway'
              ? await read()
              : await eventually('what was redacted to be gone at Synapse', async () => {
                  const event = await read()
                  return isGone(event) && event
                })
          assert.ok(isGone(now), `${kind} gives ${JSON.stringify(now)} to ${one.userId}`)
          const because = (now['unsigned'] as JsonObject)['redacted_because'] as JsonObject
          assert.equal(because['event_id'], redaction)
        }
      }
      await redacted(hanna, gero, hanna)
      await redacted(gero, hanna, gero)
      await redacted(gero, hanna, hanna)
    }
  })

  it('they see each other type, and read', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const roomId = await hanna.createRoom()
    await join(gero, roomId, hosts)
    await talk(hanna, gero, roomId, 'something to read')
    const path = ({ userId }: MatrixPerson): string => `${at(roomId)}/typing/${encodeURIComponent(userId)}`
    for (const [one, other] of [
      [hanna, gero],
      [gero, hanna],
    ] as const) {
      await one.user.call('PUT', path(one), { typing: true, timeout: 30_000 })
      await seeTyping(other, roomId, one)
      const eventId = await other.say(roomId, `read this, ${one.userId}`)
      await one.waitForText(roomId, `read this, ${one.userId}`, PATIENCE_MS)
      await one.user.call('POST', `${at(roomId)}/receipt/m.read/${encodeURIComponent(eventId)}`, {})
      const receipt = await seeReceipt(other, roomId, eventId, one)
      assert.equal(typeof receipt['ts'], 'number')
    }
  })

  it('they see who is online, and what they say of themselves', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [
      await hosts.person('hanna', { presence: true }),
      await guests.person('gero', { presence: true }),
    ]
    const roomId = await hanna.createRoom()
    await join(gero, roomId, hosts)
    await talk(hanna, gero, roomId, 'here we are')
    for (const [one, other] of [
      [hanna, gero],
      [gero, hanna],
    ] as const) {
      const status = `at the helm, ${one.userId}`
      const path = `/presence/${encodeURIComponent(one.userId)}/status`
      await one.user.call('PUT', path, { presence: 'online', status_msg: status })
      const seen = await other.waitInSync(
        `${one.userId} is online`,
        ({ presence }) =>
          presence?.events?.find(
            ({ sender, content }) => sender === one.userId && content['status_msg'] === status,
          ),
        { ms: PATIENCE_MS },
      )
      assert.equal(seen.content['presence'], 'online')
      const now = await other.user.call('GET', path)
      assert.equal(now['status_msg'], status)
    }
  })

  it('profiles are found, and a new name is seen in the room', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    await hanna.user.call('PUT', `/profile/${encodeURIComponent(hanna.userId)}/displayname`, {
      displayname: 'Hanna the Great',
    })
    const profile = await gero.user.call('GET', `/profile/${encodeURIComponent(hanna.userId)}`)
    assert.equal(profile['displayname'], 'Hanna the Great')
    const roomId = await hanna.createRoom()
    await join(gero, roomId, hosts)
    await gero.user.call('PUT', `/profile/${encodeURIComponent(gero.userId)}/displayname`, {
      displayname: 'Gero the Small',
    })
    await hanna.waitFor(
      roomId,
      'the new name',
      ({ content, state_key: key }) => key === gero.userId && content['displayname'] === 'Gero the Small',
      PATIENCE_MS,
    )
  })

  it('a room is found by its alias and in the directory, and joined by the alias', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const localpart = `harbour-${hanna.userId.slice(1).split(':')[0]}`
    const roomId = await hanna.createRoom({
      visibility: 'public',
      name: localpart,
      room_alias_name: localpart,
    })
    const alias = `#${localpart}:${hosts.serverName}`
    const found = await gero.user.call('GET', `/directory/room/${encodeURIComponent(alias)}`)
    assert.equal(found['room_id'], roomId)
    const server = encodeURIComponent(hosts.serverName)
    // Directories are made in the background.
    const listed = await eventually('the room in the directory', async () => {
      const filter = { generic_search_term: localpart }
      const { chunk } = await gero.user.call('POST', `/publicRooms?server=${server}`, { filter })
      return (
        (chunk as JsonObject[]).some((room) => room['num_joined_members'] === 1) && (chunk as JsonObject[])
      )
    })
    assert.deepEqual(
      listed.map((room) => [room['room_id'], room['num_joined_members']]),
      [[roomId, 1]],
    )
    await gero.user.call('POST', `/join/${encodeURIComponent(alias)}`, {})
    await talk(hanna, gero, roomId, 'found by name')
  })

  it('a room is upgraded, and the guest follows it into the new one', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const roomId = await hanna.createRoom({ room_version: '10', name: 'The old ship' })
    await join(gero, roomId, hosts)
    await talk(hanna, gero, roomId, 'on the old ship')
    for (const [version, privileged] of [
      ['11', true],
      ['12', false],
    ] as const) {
      const from = privileged ? roomId : (await hanna.state(roomId, 'm.room.tombstone'))!['replacement_room']
      const old = from as string
      const upgraded = await hanna.user.call('POST', `${at(old)}/upgrade`, { new_version: version })
      const tombstone = await gero.waitFor(
        old,
        'the tombstone',
        ({ type }) => type === 'm.room.tombstone',
        PATIENCE_MS,
      )
      const next = tombstone.content['replacement_room'] as string
      assert.equal(next, upgraded['replacement_room'])
      await join(gero, next, hosts)
      const created = await gero.state(next, 'm.room.create')
      assert.equal((created?.['predecessor'] as JsonObject | undefined)?.['room_id'], old)
      assert.equal(created?.['room_version'], version)
      assert.equal((await gero.state(next, 'm.room.name'))?.['name'], 'The old ship')
      await talk(hanna, gero, next, 'on the new ship')
      await agree(hanna, gero, next)
    }
  })

  it('a space shows its rooms, as far as a guest may see them', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const space = await hanna.createRoom({ creation_content: { type: 'm.space' }, name: 'Fleet' })
    const open = await hanna.createRoom({ name: 'Deck', topic: 'for all' })
    const secret = await hanna.createRoom({ preset: 'private_chat', name: 'Cabin' })
    const inner = await hanna.createRoom({ creation_content: { type: 'm.space' }, name: 'Boats' })
    const deep = await hanna.createRoom({ name: 'Dinghy' })
    const via = { via: [hosts.serverName] }
    for (const child of [open, secret, inner]) await setState(hanna, space, 'm.space.child', via, child)
    await setState(hanna, inner, 'm.space.child', via, deep)
    await join(gero, space, hosts)
    const response = await fetch(
      `${guests.url}/_matrix/client/v1/rooms/${encodeURIComponent(space)}/hierarchy`,
      { headers: { authorization: `Bearer ${gero.user.token}` } },
    )
    const answer = (await response.json()) as { rooms: JsonObject[] }
    assert.equal(response.status, 200, JSON.stringify(answer))
    const names = new Set(answer.rooms.map(({ name }) => name))
    assert.equal(answer.rooms.length, 4)
    assert.deepEqual(names, new Set(['Boats', 'Deck', 'Dinghy', 'Fleet']))
    assert.equal(answer.rooms.find(({ name }) => name === 'Deck')?.['topic'], 'for all')
    await join(gero, deep, hosts)
    await talk(hanna, gero, deep, 'in the dinghy')
  })

  it('a file is fetched from the other server, whole and as a thumbnail', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const uri = await hanna.upload(PICTURE, 'image/png')
    const [server, mediaId] = uri.slice('mxc://'.length).split('/') as [string, string]
    assert.equal(server, hosts.serverName)
    const headers = { authorization: `Bearer ${gero.user.token}` }
    const base = `${guests.url}/_matrix/client/v1/media`
    const whole = await fetch(`${base}/download/${server}/${mediaId}`, { headers })
    assert.equal(whole.status, 200)
    assert.equal(whole.headers.get('content-type'), 'image/png')
    assert.deepEqual(new Uint8Array(await whole.arrayBuffer()), PICTURE)
    const small = await fetch(`${base}/thumbnail/${server}/${mediaId}?width=32&height=32&method=crop`, {
      headers,
    })
    assert.equal(small.status, 200)
    assert.match(small.headers.get('content-type') ?? '', /^image\//)
    const missing = await fetch(`${base}/download/${server}/nosuchfile`, { headers })
    assert.equal(missing.status, 404)
  })

  it('the moment of an event is found on the other server by its time', async () => {
    const [hosts, guests] = sides()
    const [hanna, gero] = [await hosts.person('hanna'), await guests.person('gero')]
    const roomId = await hanna.createRoom()
    const early = await hanna.say(roomId, 'early')
    const { origin_server_ts: ts } = await hanna.user.call(
      'GET',
      `${at(roomId)}/event/${encodeURIComponent(early)}`,
    )
    await join(gero, roomId, hosts)
    const found = await eventually('the event by its time', async () => {
      const path = `/_matrix/client/v1${at(roomId)}/timestamp_to_event?ts=${ts as number}&dir=f`
      const response = await fetch(guests.url + path, {
        headers: { authorization: `Bearer ${gero.user.token}` },
      })
      return response.ok && ((await response.json()) as JsonObject)
    })
    assert.equal(found['event_id'], early)
  })
}

/** A red square of 64 pixels. */
const PICTURE = Uint8Array.from(
  Buffer.from(
    'iVBORw0KGgoAAAANSUhEUgAAAEAAAABACAIAAAAlC+aJAAAAS0lEQVR42u3PQQkAAAgAsetfWiP4FgYrsKZeS0BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEDgsqnc8OJg6Ln3AAAAAElFTkSuQmCC',
    'base64',
  ),
)
