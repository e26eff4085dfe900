import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { SPEC_FOLDER } from '../fuzz/openapi.ts'
import type { AnyEndpoint } from '../../packages/homeserver/http/endpoint.ts'
import {
  clientEndpoints,
  clientTable,
  entryOf,
  openClientWorld,
  type ClientWorld,
  type Who,
} from './client-world.ts'
import { confirm, textOf, verdictOf, type Operation } from './operation.ts'
import { call, HEARD, readAll, SECRET, setFlag, V3, type Owner } from './people.ts'
import { loadSecurity } from './security.ts'

/** Every path of every operation. */
const pathsOf = ({ path, also = [] }: AnyEndpoint): readonly string[] => [path, ...also]

/** What takes something comes after what needs it. */
const rankOf = (endpoint: AnyEndpoint): number =>
  ['nothing', 'part', 'whole', 'account'].indexOf(entryOf(endpoint).spends ?? 'nothing')
const inOrder = clientEndpoints.toSorted((a, b) => rankOf(a) - rankOf(b))

type Told = Record<string, string>

describe('what each operation of the client API answers, and to whom', () => {
  let world: ClientWorld
  before(async () => void (world = await openClientWorld()))
  after(() => world[Symbol.asyncDispose]())

  /** Asks every operation that has an expectation, and compares all answers at once. */
  async function compare(
    expectedOf: (entry: Operation, endpoint: AnyEndpoint) => string | undefined,
    who: (endpoint: AnyEndpoint) => Promise<Who> | Who,
    told: (text: string, answer: string) => string = (_, answer) => answer,
  ): Promise<void> {
    const expected: Told = {}
    const actual: Told = {}
    const asked = inOrder.flatMap((endpoint) => {
      const wanted = expectedOf(entryOf(endpoint), endpoint)
      return wanted === undefined ? [] : [{ endpoint, wanted, who: who(endpoint) }]
    })
    // Who has to be made is made at once.
    const askers = await Promise.all(asked.map(async (one) => one.who))
    for (const [index, { endpoint, wanted }] of asked.entries()) {
      const answer = await world.ask(endpoint, askers[index]!)
      expected[endpoint.operation] = wanted
      actual[endpoint.operation] = told(textOf(answer), verdictOf(answer))
    }
    assert.deepEqual(actual, expected)
  }

  const leaks =
    (...markers: readonly string[]) =>
    (text: string, answer: string): string =>
      markers.some((marker) => text.includes(marker))
        ? `${answer}, and tells what is private: ${text.slice(0, 300)}`
        : answer

  it('every operation has an entry, and every entry is of an operation', () => {
    const operations = clientEndpoints.map(({ operation }) => operation)
    assert.equal(new Set(operations).size, operations.length, 'two operations have one name')
    assert.deepEqual(Object.keys(clientTable).toSorted(), operations.toSorted())
  })

  it('where an operation names somebody’s thing, it is said what others are answered', () => {
    const theirs =
      /:(userId|roomId|roomIdOrAlias|roomAlias|eventId|deviceId|filterId|version|mediaId|sessionId|tag|type|ruleId)\b/
    const silent = clientEndpoints.filter((endpoint) => {
      const { door, stranger } = entryOf(endpoint)
      return door !== 'none' && theirs.test(endpoint.path) && stranger === undefined
    })
    // A rule of this name that they make is one of their own.
    assert.deepEqual(
      silent.map(({ operation }) => operation),
      ['setPushRule'],
    )
  })

  it('its door is that of the specification, or it is said why not', (t) => {
    const specified = loadSecurity()
    if (specified === undefined) return t.skip(`the specification's files are not in ${SPEC_FOLDER}`)
    const others: Told = {}
    let known = 0
    for (const [operation, { door, differs }] of Object.entries(clientTable)) {
      const security = specified.get(operation)
      if (security === undefined) continue
      known += 1
      const ours = door === 'admin' ? 'user' : door
      assert.equal(differs !== undefined, ours !== security, `${operation}: ${ours}, and ${security}`)
      if (ours !== security) others[operation] = differs!
    }
    t.diagnostic(
      `${known} of ${Object.keys(clientTable).length} operations are specified; ${JSON.stringify(others)}`,
    )
    assert.ok(known > 130, `${known} operations were found in the specification`)
  })

  it('the owner is answered: what others are refused is refused to them, and not to everybody', async () => {
    const owner = await world.newOwner()
    await compare(
      ({ door, owner: wanted = '200' }) => (door === 'none' ? undefined : wanted),
      async (endpoint) => {
        const { door, spends } = entryOf(endpoint)
        const of = spends === 'account' ? await world.newOwner() : owner
        return { of, by: door === 'admin' ? world.root : door === 'appservice' ? world.hub : of }
      },
    )
  })

  describe('without a token, with a wrong one, and with one that has ended', () => {
    const allPaths = clientEndpoints.flatMap((endpoint) =>
      pathsOf(endpoint).map((path) => ({ endpoint, path, entry: entryOf(endpoint) })),
    )
    async function refusals(token: string | undefined, doors: readonly string[]): Promise<Told> {
      const told: Told = {}
      for (const { endpoint, path, entry } of allPaths) {
        if (!doors.includes(entry.door)) continue
        const who = { of: world.alice, by: world.mallory, path, token }
        const answer = await world.ask(endpoint, who)
        told[`${endpoint.method} ${path}`] = leaks(SECRET, HEARD)(textOf(answer), verdictOf(answer))
      }
      return told
    }
    const all = (told: Told, verdict: string): Told =>
      Object.fromEntries(Object.keys(told).map((key) => [key, verdict]))

    it('nobody is asked for a token: M_MISSING_TOKEN', async () => {
      const told = await refusals(undefined, ['user', 'admin', 'appservice'])
      assert.deepEqual(told, all(told, '401 M_MISSING_TOKEN'))
    })

    it('a wrong token: M_UNKNOWN_TOKEN', async () => {
      const told = await refusals('nonsense', ['user', 'admin', 'appservice', 'optional'])
      assert.deepEqual(told, all(told, '401 M_UNKNOWN_TOKEN'))
    })

    it('a token whose session was logged out: M_UNKNOWN_TOKEN', async () => {
      const gone = await world.newOwner()
      await world.server.request('POST', '/_matrix/client/v3/logout', { token: gone.token })
      const told = await refusals(gone.token, ['user', 'admin', 'appservice', 'optional'])
      assert.deepEqual(told, all(told, '401 M_UNKNOWN_TOKEN'))
    })

    it('where nobody has to be asked, nobody is asked, and nothing private is told', async () => {
      const nobody = (): Who => ({ of: world.alice, by: world.mallory, token: undefined })
      await compare((entry) => entry.nobody, nobody, leaks(SECRET, HEARD))
      await compare(
        (entry) => (/none|optional/.test(entry.door) && entry.nobody === undefined ? 'unasked' : undefined),
        nobody,
        (text, answer) =>
          /TOKEN/.test(answer) ? answer : leaks(SECRET, HEARD)(text, answer).replace(answer, 'unasked'),
      )
    })
  })

  describe('with somebody else’s token', () => {
    let had: Record<string, string>
    before(async () => (had = await readAll(world.server, world.alice)))
    const wanted = (expected: string | undefined): string | undefined =>
      expected === 'own' || expected === 'public' ? '200' : expected

    it('a stranger gets nothing of Alice’s', async () => {
      await compare(
        ({ stranger }) => wanted(stranger),
        () => ({ of: world.alice, by: world.mallory }),
        leaks(SECRET, HEARD),
      )
    })

    it('who was banned from her room reads what was said before, and nothing after', async () => {
      const url = `${V3}/rooms/${encodeURIComponent(world.alice.roomId)}/messages?dir=b&limit=100`
      const read = JSON.stringify(await call(world.server, world.bob.token, 'GET', url))
      assert.ok(read.includes(HEARD), 'they were there')
      await compare(
        ({ stranger, banned }) => wanted(banned ?? stranger),
        () => ({ of: world.alice, by: world.bob }),
        leaks(SECRET),
      )
    })

    it('an application service may not act as her: she is in nobody’s namespace', async () => {
      const told: Told = {}
      for (const endpoint of clientEndpoints) {
        const { door } = entryOf(endpoint)
        if (door === 'none') continue
        const path = endpoint.path
        const asked = await world.askAs(
          endpoint,
          { of: world.alice, by: world.hub, path },
          world.alice.userId,
        )
        told[endpoint.operation] = leaks(SECRET, HEARD)(textOf(asked), verdictOf(asked))
      }
      for (const [key, verdict] of Object.entries(told)) assert.equal(verdict, '403 M_FORBIDDEN', key)
    })

    it('whether there is a user of some name is told to none but administrators: the refusal is the same', async () => {
      const nobody = { ...world.alice, userId: '@nobody:test.example' }
      await compare(
        ({ stranger }, { path }) => (path.includes(':userId') ? wanted(stranger) : undefined),
        () => ({ of: nobody, by: world.mallory }),
      )
    })

    it('and what she has is as it was', async () => {
      assert.deepEqual(await readAll(world.server, world.alice), had)
    })
  })

  describe('with an account that administrators have shut', () => {
    const standing = async (flag: 'suspended' | 'locked'): Promise<Owner> => {
      const owner = await world.newOwner()
      await setFlag(world.server, owner, flag)
      return owner
    }
    const isReading = ({ method }: AnyEndpoint): boolean => method === 'GET'

    it('a suspended account reads, and does what the specification lists: anything else is M_USER_SUSPENDED', async () => {
      const sue = await standing('suspended')
      await compare(
        ({ door, suspended, owner = '200' }, endpoint) => {
          if (door === 'none' || door === 'appservice') return undefined
          const may = suspended === undefined ? isReading(endpoint) : suspended === 'may'
          if (!may) return '403 M_USER_SUSPENDED'
          return door === 'admin' ? '403 M_FORBIDDEN' : owner
        },
        async (endpoint) => {
          const of = entryOf(endpoint).spends === 'account' ? await standing('suspended') : sue
          return { of, by: of }
        },
      )
    })

    it('an application service does no more as an account of its own that is locked', async () => {
      const { server, hub } = world
      const body = { type: 'm.login.application_service', username: '_hub_ghost', inhibit_login: true }
      const { user_id: userId } = await call(server, hub.token, 'POST', `${V3}/register`, body)
      const ghost = { ...hub, userId: userId as string }
      await setFlag(server, ghost, 'locked')
      const told: Told = {}
      for (const endpoint of clientEndpoints) {
        if (entryOf(endpoint).door === 'none' || endpoint.operation.startsWith('logout')) continue
        // Where the operation itself asks for a user by that name, it is Alice whom it would act as.
        if (endpoint.operation === 'getMutualRooms') continue
        const answer = await world.askAs(endpoint, { of: world.alice, by: ghost }, ghost.userId)
        told[endpoint.operation] = verdictOf(answer)
      }
      assert.deepEqual(told, Object.fromEntries(Object.keys(told).map((key) => [key, '401 M_USER_LOCKED'])))
    })

    it('a suspended account takes back what it said, and nothing that others said', async () => {
      const sue = await world.newOwner()
      const { server } = world
      const post = (path: string, body: JsonObject, token = sue.token): Promise<JsonObject> =>
        call(server, token, 'POST', V3 + path, body)
      const { room_id: roomId } = await post('/createRoom', { preset: 'public_chat' })
      const inRoom = `/rooms/${encodeURIComponent(roomId as string)}`
      const { mallory } = world
      await post(`${inRoom}/join`, {}, mallory.token)
      const say = { msgtype: 'm.text', body: 'x' }
      const put = (token: string, path: string, body: JsonObject) =>
        server.request('PUT', V3 + inRoom + path, { token, body })
      const eventOf = async (token: string): Promise<string> => {
        const answer = await put(token, '/send/m.room.message/s', say)
        return encodeURIComponent(answer.json()['event_id'] as string)
      }
      const [own, others] = [await eventOf(sue.token), await eventOf(mallory.token)]
      await setFlag(server, sue, 'suspended')
      const redact = async (eventId: string): Promise<string> =>
        verdictOf(await put(sue.token, `/redact/${eventId}/r`, {}))
      assert.deepEqual([await redact(others), await redact(own)], ['403 M_USER_SUSPENDED', '200'])
    })

    it('a suspended account logs in, and the new session is suspended as well; a locked one does not', async () => {
      const { server } = world
      const login = async ({ name }: Owner) =>
        server.request('POST', `${V3}/login`, {
          body: { ...(confirm({ name } as Owner)['auth'] as JsonObject), refresh_token: true },
        })
      const refresh = async (refreshToken: JsonValue): Promise<string> =>
        verdictOf(
          await server.request('POST', `${V3}/refresh`, {
            body: { refresh_token: refreshToken } as JsonObject,
          }),
        )
      const sue = await standing('suspended')
      const answer = await login(sue)
      assert.equal(verdictOf(answer), '200')
      const { access_token: token, refresh_token: refreshToken } = answer.json()
      const create = await server.request('POST', `${V3}/createRoom`, { token: token as string, body: {} })
      assert.equal(verdictOf(create), '403 M_USER_SUSPENDED')
      await setFlag(server, sue, 'locked')
      assert.equal(verdictOf(await login(sue)), '401 M_USER_LOCKED')
      assert.equal(await refresh(refreshToken!), '401 M_USER_LOCKED')
    })

    it('nobody becomes a guest, and an account with the mark of one may do nothing', async () => {
      const { server } = world
      for (const path of ['/_matrix/client/v3/register', '/_matrix/client/r0/register']) {
        const answer = await server.request('POST', `${path}?kind=guest`, { body: {} })
        assert.equal(verdictOf(answer), '403 M_GUEST_ACCESS_FORBIDDEN')
      }
      const owner = await world.newOwner()
      const sql = 'UPDATE users SET is_guest = 1 WHERE user_id = ?'
      await server.hs.db.commit({ entries: [], steps: [{ sql, params: [owner.userId], expectRows: 1 }] })
      server.hs.sessions.forget(owner.userId as UserId)
      await compare(
        ({ door }) => (door === 'none' ? undefined : '403 M_GUEST_ACCESS_FORBIDDEN'),
        () => ({ of: owner, by: owner }),
      )
    })

    it('a locked account is M_USER_LOCKED to everything but logging out, and may come back', async () => {
      const owner = await standing('locked')
      await compare(
        ({ door }, { operation }) =>
          door === 'none'
            ? undefined
            : operation.startsWith('logout')
              ? '200'
              : '401 M_USER_LOCKED and soft_logout',
        async ({ operation }) => {
          const of = operation.startsWith('logout') ? await standing('locked') : owner
          return { of, by: of }
        },
        (text, answer) =>
          (JSON.parse(text || '{}') as { soft_logout?: boolean }).soft_logout === true
            ? `${answer} and soft_logout`
            : answer,
      )
      // The session is kept for them meanwhile.
      await setFlag(world.server, owner, 'locked', false)
      await call(world.server, owner.token, 'GET', `${V3}/account/whoami`)
    })
  })
})
