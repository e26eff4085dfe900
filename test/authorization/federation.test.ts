import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { ServerName, UserId } from '@causeway/matrix/ids/ids.ts'
import type { DispatchRequest } from '../../packages/homeserver/http/dispatch.ts'
import type { AnyEndpoint } from '../../packages/homeserver/http/endpoint.ts'
import type { TestLogin } from '../../packages/homeserver/test-server.ts'
import { federationTable, type PeerOperation } from './federation-table.ts'
import {
  federationEndpoints,
  makePeerEvent,
  openFederationWorld,
  OURS,
  sendAs,
  type FederationWorld,
  type Forgery,
  type Peer,
} from './federation-world.ts'
import { textOf, verdictOf } from './operation.ts'
import { call, SECRET, V3 } from './people.ts'

type Told = Record<string, string>

const entryOf = ({ operation }: AnyEndpoint): PeerOperation => {
  const entry = federationTable[operation]
  if (entry === undefined)
    throw new Error(`${operation} has no entry in test/authorization/federation-table.ts`)
  return entry
}

const signedEndpoints = federationEndpoints.filter((endpoint) => entryOf(endpoint).door === 'server')

describe('what each operation between servers answers, and to which server', () => {
  let world: FederationWorld
  let bob: TestLogin
  before(async () => {
    world = await openFederationWorld()
    bob = await world.server.register('bob')
  })
  after(() => world[Symbol.asyncDispose]())

  async function requestOf(endpoint: AnyEndpoint, by: Peer): Promise<DispatchRequest> {
    const asked = (await entryOf(endpoint).ask?.(world, by)) ?? {}
    const values: Record<string, string> = {
      roomId: world.roomId,
      eventId: world.eventId,
      mediaId: world.mediaId,
      userId: by.userId,
      serverName: OURS,
      txnId: `of-${endpoint.operation}`,
      ...asked.path,
    }
    const path = endpoint.path.replaceAll(/:(\w+)/g, (_, name: string) => encodeURIComponent(values[name]!))
    const query = new URLSearchParams(asked.query).toString()
    return {
      method: endpoint.method,
      url: query === '' ? path : `${path}?${query}`,
      ...(asked.body === undefined ? {} : { body: asked.body }),
    }
  }

  /** Every operation's answer to a request of a server's. */
  async function answersTo(
    by: Peer,
    endpoints: readonly AnyEndpoint[],
    forge: (request: DispatchRequest) => Forgery = () => ({}),
  ): Promise<Told> {
    const told: Told = {}
    for (const endpoint of endpoints) {
      const request = await requestOf(endpoint, by)
      const answer = await sendAs(world, by, request, forge(request))
      const text = textOf(answer)
      told[endpoint.operation] = verdictOf(answer)
      if (by !== world.friend && text.includes(SECRET))
        told[endpoint.operation] += `, and tells: ${text.slice(0, 300)}`
    }
    return told
  }

  const all = (endpoints: readonly AnyEndpoint[], verdict: string): Told =>
    Object.fromEntries(endpoints.map(({ operation }) => [operation, verdict]))

  it('every operation has an entry, and every entry is of an operation', () => {
    // Some are asked for in two ways.
    const operations = new Set(federationEndpoints.map(({ operation }) => operation))
    assert.deepEqual(Object.keys(federationTable).toSorted(), [...operations].toSorted())
  })

  it('where an operation names a room or an event, it is said what a server hears that is not let in', () => {
    const silent = signedEndpoints.filter((endpoint) => {
      const { barred } = entryOf(endpoint)
      return /:(roomId|eventId)/.test(endpoint.path) && barred === undefined
    })
    assert.deepEqual(silent, [])
  })

  describe('whoever sends it', () => {
    const forgeries: Record<string, (request: DispatchRequest) => Forgery> = {
      'without a signature': () => ({ authorization: undefined }),
      'with a client’s token': () => ({ authorization: `Bearer ${world.alice.token}` }),
      'for another server': () => ({ destination: 'other.test' as ServerName }),
      'signed by the key of another server': () => ({ origin: world.friend.name }),
      'in our own name': () => ({ origin: OURS }),
      'signed for another address': (request) => ({ signed: { url: `${request.url}x` } }),
      'signed for another method': () => ({ signed: { method: 'DELETE' } }),
      'signed for another body': () => ({ signed: { body: { another: 'body' } } }),
      'with a signature cut short': () => ({
        authorization: `X-Matrix origin="${world.stranger.name}",destination="${OURS}",key="ed25519:k1",sig="AAAA"`,
      }),
    }
    for (const [how, forge] of Object.entries(forgeries)) {
      it(`${how}: M_UNAUTHORIZED`, async () => {
        const told = await answersTo(world.stranger, signedEndpoints, forge)
        assert.deepEqual(told, all(signedEndpoints, '401 M_UNAUTHORIZED'))
      })
    }

    it('a server that the operator refuses gets nothing', async () => {
      const told = await answersTo(world.shunned, signedEndpoints)
      assert.deepEqual(told, all(signedEndpoints, '403 M_FORBIDDEN'))
    })

    it('what nobody has to sign needs no signature', async () => {
      const open = federationEndpoints.filter((endpoint) => entryOf(endpoint).door === 'none')
      const told = await answersTo(world.stranger, open, () => ({ authorization: undefined }))
      const wanted = open.map((endpoint) => [endpoint.operation, entryOf(endpoint).friend ?? '200'])
      assert.deepEqual(told, Object.fromEntries(wanted))
    })
  })

  describe('a server with a key of its own', () => {
    const expected = (pick: (entry: PeerOperation) => string | undefined): Told =>
      Object.fromEntries(
        signedEndpoints.flatMap((endpoint) => {
          const verdict = pick(entryOf(endpoint))
          return verdict === undefined ? [] : [[endpoint.operation, verdict]]
        }),
      )
    const compare = async (by: Peer, wanted: Told): Promise<void> => {
      const asked = signedEndpoints.filter(({ operation }) => wanted[operation] !== undefined)
      const inOrder = asked.toSorted(
        (a, b) => Number(entryOf(a).isLast ?? 0) - Number(entryOf(b).isLast ?? 0),
      )
      assert.deepEqual(await answersTo(by, inOrder), wanted)
    }

    /** Names of the events that make up the state of the rooms. */
    const readRooms = (): Promise<readonly unknown[]> =>
      Promise.all(
        [world.roomId, world.knockRoomId].map(async (roomId) => {
          const url = `${V3}/rooms/${encodeURIComponent(roomId)}/state`
          const state: unknown = await call(world.server, world.alice.token, 'GET', url)
          return (state as readonly JsonObject[]).map((event) => event['event_id'])
        }),
      )
    let had: readonly unknown[]
    before(async () => (had = await readRooms()))

    it('that is not in the room is told nothing of it', async () => {
      await compare(
        world.stranger,
        expected(({ stranger }) => stranger),
      )
    })

    it('that the room’s access control list keeps out is told nothing, though its users are there', async () => {
      await compare(
        world.barred,
        expected(({ barred }) => barred),
      )
    })

    it('speaks for nobody but its own users', async () => {
      const spoken = signedEndpoints.filter(({ path }) =>
        /(make|send)_(join|leave|knock)|\/invite\//.test(path),
      )
      assert.equal(spoken.length, 10)
      // Of a user who is in the room: nothing but whose user they are speaks against it.
      const { userId } = world.other
      const told: Told = {}
      for (const endpoint of spoken) {
        const request = await requestOf(endpoint, { ...world.friend, userId, leaving: [userId, userId] })
        told[endpoint.operation] = verdictOf(await sendAs(world, world.friend, request))
      }
      const wanted = spoken.map(({ operation }) => [
        operation,
        operation.startsWith('sendInvite') ? '400 M_INVALID_PARAM' : '403 M_FORBIDDEN',
      ])
      assert.deepEqual(told, Object.fromEntries(wanted))
    })

    it('that is not in the room invites nobody into it', async () => {
      const endpoint = signedEndpoints.find(({ operation }) => operation === 'sendInviteV2')!
      await sendAs(world, world.stranger, await requestOf(endpoint, world.stranger))
      const { rooms } = await call(world.server, bob.token, 'GET', `${V3}/sync?timeout=0`)
      assert.equal((rooms as JsonObject | undefined)?.['invite'], undefined)
    })

    it('has changed nothing by all that', async () => {
      assert.deepEqual(await readRooms(), had)
    })

    it('has its events taken in where it may send them, and answered with an error where not', async () => {
      const { friend, other, stranger, barred, roomId } = world
      const say = (text: string, sender: UserId) => ({
        type: 'm.room.message',
        sender,
        content: { msgtype: 'm.text', body: text },
      })
      const send = async (by: Peer, text: string, sender = by.userId): Promise<boolean> => {
        const { eventId, json } = await makePeerEvent(world, by, roomId, say(text, sender))
        const body = { origin: by.name, origin_server_ts: 0, pdus: [json], edus: [] }
        const url = `/_matrix/federation/v1/send/${encodeURIComponent(text)}`
        const answer = await sendAs(world, by, { method: 'PUT', url, body })
        assert.equal(answer.status, 200, textOf(answer))
        const { [eventId]: verdict } = answer.json()['pdus'] as Record<string, JsonObject>
        return verdict?.['error'] === undefined
      }
      assert.equal(await send(stranger, 'not in the room'), false)
      assert.equal(await send(barred, 'kept out by the list'), false)
      assert.equal(await send(friend, 'of another server', other.userId), false)
      assert.equal(await send(friend, 'of ours', world.alice.userId as UserId), false)
      assert.equal(await send(friend, 'of a friend'), true)
      const url = `${V3}/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=100`
      const { chunk } = await call(world.server, world.alice.token, 'GET', url)
      const said = (chunk as JsonObject[]).flatMap(({ type, content }) =>
        type === 'm.room.message' ? [(content as JsonObject)['body']] : [],
      )
      assert.deepEqual(said, ['of a friend', SECRET])
    })

    it('that is in the room is answered: what others are refused is refused to them, and not to everybody', async () => {
      await compare(
        world.friend,
        expected(({ friend = '200' }) => friend),
      )
    })
  })
})
