import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { setAccountData } from '@causeway/store/tables/account-data.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { readsOf } from '../test-reads.ts'
import { findServerDrivers, type ServerDriver } from '../test-server.ts'
import { openTestPeople, type TestPeople } from './test-people.ts'

interface Chat extends AsyncDisposable {
  readonly server: TestPeople
  readonly roomId: string
  readonly path: string
}

async function openChat(driver: ServerDriver, more: JsonObject = {}): Promise<Chat> {
  const server = await openTestPeople(driver)
  const made = await server.call('alice', 'POST', '/_matrix/client/v3/createRoom', {
    preset: 'public_chat',
    ...more,
  })
  const roomId = made['room_id'] as string
  const path = `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}`
  await server.call('bob', 'POST', `/_matrix/client/v3/join/${encodeURIComponent(roomId)}`, {})
  return {
    server,
    roomId,
    path,
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

const relatesTo = (relType: string, eventId: string, more: JsonObject = {}): JsonObject => ({
  msgtype: 'm.text',
  body: 'x',
  'm.relates_to': { rel_type: relType, event_id: eventId, ...more },
})

const editOf = (eventId: string, body: string): JsonObject => ({
  ...relatesTo('m.replace', eventId),
  'm.new_content': { msgtype: 'm.text', body },
})

async function readEvent({ server, roomId }: Chat, who: string, eventId: string): Promise<JsonObject> {
  const at = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/event/${encodeURIComponent(eventId)}`
  return server.call(who, 'GET', at)
}

function bundleOf(event: JsonObject): Record<string, JsonObject> | undefined {
  return (event['unsigned'] as JsonObject)['m.relations'] as Record<string, JsonObject> | undefined
}

async function ids({ server, path }: Chat, who: string, rest: string): Promise<unknown[]> {
  const page = await server.call(who, 'GET', `${path}${rest}`)
  return (page['chunk'] as JsonObject[]).map((event) => event['event_id'])
}

/** Counts the queries that reach the database while `run` runs. */
const countQueries = async ({ server }: Chat, run: () => Promise<unknown>): Promise<number> =>
  (await readsOf(server, run)).length

for (const driver of await findServerDrivers()) {
  describe(`relations on ${driver.name}`, { skip: driver.skip }, () => {
    it('bundles the latest edit by the author, whole, and leaves the content as it was', async () => {
      await using chat = await openChat(driver)
      const root = await chat.server.say('alice', chat.roomId, { msgtype: 'm.text', body: 'one' })
      await chat.server.say('alice', chat.roomId, editOf(root, 'two'))
      const last = await chat.server.say('alice', chat.roomId, editOf(root, 'three'))
      await chat.server.say('bob', chat.roomId, editOf(root, 'not mine'))
      await chat.server.say('alice', chat.roomId, relatesTo('m.replace', root))
      await chat.server.say('alice', chat.roomId, editOf(root, 'another type'), 'org.example.note')
      await chat.server.say('alice', chat.roomId, editOf(last, 'an edit of an edit'))
      const event = await readEvent(chat, 'bob', root)
      const edit = bundleOf(event)?.['m.replace']
      assert.equal((event['content'] as JsonObject)['body'], 'one')
      assert.equal(edit?.['event_id'], last)
      assert.deepEqual((edit!['content'] as JsonObject)['m.new_content'], {
        msgtype: 'm.text',
        body: 'three',
      })
      assert.equal(bundleOf(await readEvent(chat, 'bob', last)), undefined)
    })

    it('bundles a thread with its count, its latest reply as edited, and whether the reader took part', async () => {
      await using chat = await openChat(driver)
      const root = await chat.server.say('alice', chat.roomId, { msgtype: 'm.text', body: 'root' })
      await chat.server.say('alice', chat.roomId, relatesTo('m.thread', root))
      const reply = await chat.server.say('alice', chat.roomId, relatesTo('m.thread', root))
      const edit = await chat.server.say('alice', chat.roomId, editOf(reply, 'better'))
      const thread = bundleOf(await readEvent(chat, 'bob', root))?.['m.thread']
      assert.equal(thread?.['count'], 2)
      assert.equal(thread?.['current_user_participated'], false)
      const latest = thread?.['latest_event'] as JsonObject
      assert.equal(latest['event_id'], reply)
      assert.equal(bundleOf(latest)?.['m.replace']?.['event_id'], edit)
      const own = bundleOf(await readEvent(chat, 'alice', root))?.['m.thread']
      assert.equal(own?.['current_user_participated'], true)
    })

    it('lists references by id, oldest first, and bundles no reactions', async () => {
      await using chat = await openChat(driver)
      const root = await chat.server.say('alice', chat.roomId, { msgtype: 'm.text', body: 'root' })
      const first = await chat.server.say('bob', chat.roomId, relatesTo('m.reference', root))
      const second = await chat.server.say('alice', chat.roomId, relatesTo('m.reference', root))
      await chat.server.say('bob', chat.roomId, relatesTo('m.annotation', root, { key: '👍' }), 'm.reaction')
      assert.deepEqual(bundleOf(await readEvent(chat, 'bob', root)), {
        'm.reference': { chunk: [{ event_id: first }, { event_id: second }] },
      })
    })

    it('bundles no redacted relations, and no edit with a redacted event', async () => {
      await using chat = await openChat(driver)
      const { server, roomId } = chat
      const root = await server.say('alice', roomId, { msgtype: 'm.text', body: 'root' })
      const edit = await server.say('alice', roomId, editOf(root, 'two'))
      const reply = await server.say('bob', roomId, relatesTo('m.thread', root))
      const later = await server.say('bob', roomId, relatesTo('m.thread', root))
      const redact = (eventId: string): Promise<JsonObject> => {
        const at = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(eventId)}`
        return server.call('alice', 'PUT', `${at}/r${eventId.slice(1, 9)}`, {})
      }
      await redact(later)
      const bundle = bundleOf(await readEvent(chat, 'alice', root))
      assert.equal(bundle?.['m.thread']?.['count'], 1)
      assert.equal((bundle!['m.thread']!['latest_event'] as JsonObject)['event_id'], reply)
      assert.equal(bundle?.['m.replace']?.['event_id'], edit)
      await redact(root)
      const after = bundleOf(await readEvent(chat, 'alice', root))
      assert.deepEqual(Object.keys(after ?? {}), ['m.thread'])
    })

    it('leaves out what ignored people sent', async () => {
      await using chat = await openChat(driver)
      const { server, roomId } = chat
      const root = await server.say('alice', roomId, { msgtype: 'm.text', body: 'root' })
      const reply = await server.say('alice', roomId, relatesTo('m.thread', root))
      await server.say('bob', roomId, relatesTo('m.thread', root))
      await server.say('bob', roomId, relatesTo('m.reference', root))
      const content = { ignored_users: { '@bob:test.example': {} } }
      const userId = '@alice:test.example' as UserId
      await server.hs.log.append({
        entries: [
          {
            kind: 'account_data',
            position: 0,
            userId,
            roomId: undefined,
            type: 'm.ignored_user_list',
            content,
          },
        ],
        steps: [
          setAccountData(
            { userId, roomNid: 0, type: 'm.ignored_user_list' },
            { content: JSON.stringify(content), entry: 0, now: 1 },
          ),
        ],
      })
      const bundle = bundleOf(await readEvent(chat, 'alice', root))
      assert.deepEqual(Object.keys(bundle ?? {}), ['m.thread'])
      assert.equal(bundle?.['m.thread']?.['count'], 1)
      assert.equal((bundle!['m.thread']!['latest_event'] as JsonObject)['event_id'], reply)
    })

    it('shows who left only the relations from before they did', async () => {
      await using chat = await openChat(driver)
      const { server, roomId } = chat
      const root = await server.say('alice', roomId, { msgtype: 'm.text', body: 'root' })
      const seen = await server.say('alice', roomId, relatesTo('m.thread', root))
      await server.call('bob', 'POST', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/leave`, {})
      await server.say('alice', roomId, relatesTo('m.thread', root))
      await server.say('alice', roomId, editOf(root, 'later'))
      await server.say('alice', roomId, relatesTo('m.reference', root))
      const bundle = bundleOf(await readEvent(chat, 'bob', root))
      assert.deepEqual(Object.keys(bundle ?? {}), ['m.thread'])
      assert.equal(bundle?.['m.thread']?.['count'], 1)
      assert.deepEqual(await ids(chat, 'bob', `/relations/${encodeURIComponent(root)}`), [seen])
    })

    it('asks nothing for recent messages that nothing relates to, however many', async () => {
      await using chat = await openChat(driver)
      const { server, roomId } = chat
      const plain: string[] = []
      for (let i = 0; i < 20; i++) plain.push(await server.say('alice', roomId, { body: `${i}` }))
      await readEvent(chat, 'alice', plain[0]!)
      assert.equal(await countQueries(chat, () => readEvent(chat, 'alice', plain[1]!)), 0)
      await server.say('alice', roomId, editOf(plain[1]!, 'edited'))
      // The first time also asks whom the reader ignores.
      assert.equal(await countQueries(chat, () => readEvent(chat, 'alice', plain[1]!)), 3)
      assert.equal(await countQueries(chat, () => readEvent(chat, 'alice', plain[1]!)), 2)
      assert.equal(await countQueries(chat, () => readEvent(chat, 'alice', plain[2]!)), 0)
    })

    it('asks two things for a page of what was said before the start, unless something relates to it', async () => {
      await using chat = await openChat(driver)
      const said: string[] = []
      for (let n = 0; n < 30; n++) {
        said.push(await chat.server.say('alice', chat.roomId, { msgtype: 'm.text', body: `${n}` }))
      }
      const { related, log } = chat.server.hs.rooms
      const restart = (): void => related.raiseFloor(log.head())
      const page = async (): Promise<Map<unknown, JsonObject>> => {
        const at = `/_matrix/client/v3/rooms/${encodeURIComponent(chat.roomId)}/messages?dir=b&limit=25`
        const { chunk } = await chat.server.call('bob', 'GET', at)
        return new Map((chunk as JsonObject[]).map((event) => [event['event_id'], event]))
      }
      restart()
      await page()
      assert.equal(await countQueries(chat, page), 2)
      // Seen without relations, and related to since then.
      const edit = await chat.server.say('alice', chat.roomId, editOf(said[20]!, 'better'))
      assert.equal(bundleOf((await page()).get(said[20]!)!)?.['m.replace']?.['event_id'], edit)
      restart()
      assert.equal(bundleOf((await page()).get(said[20]!)!)?.['m.replace']?.['event_id'], edit)
      assert.equal(bundleOf((await page()).get(said[19]!)!), undefined)
    })

    it('pages through relations in both directions, by relation and by type', async () => {
      await using chat = await openChat(driver)
      const { server, roomId } = chat
      const root = await server.say('alice', roomId, { msgtype: 'm.text', body: 'root' })
      const replies: string[] = []
      for (let i = 0; i < 7; i++) replies.push(await server.say('bob', roomId, relatesTo('m.thread', root)))
      const note = await server.say('bob', roomId, relatesTo('m.thread', root), 'org.example.note')
      const edit = await server.say('alice', roomId, editOf(root, 'two'))
      const at = `/relations/${encodeURIComponent(root)}`
      assert.deepEqual(await ids(chat, 'alice', at), [edit, note, ...replies.toReversed()])
      assert.deepEqual(await ids(chat, 'alice', `${at}/m.replace`), [edit])
      assert.deepEqual(await ids(chat, 'alice', `${at}/m.thread/m.room.message`), replies.toReversed())
      const found: unknown[] = []
      let from = ''
      for (let page = 0; page < 4; page++) {
        const answer = await server.call('alice', 'GET', `${chat.path}${at}/m.thread?dir=f&limit=3${from}`)
        found.push(...(answer['chunk'] as JsonObject[]).map((event) => event['event_id']))
        if (answer['next_batch'] === undefined) break
        from = `&from=${answer['next_batch'] as string}`
      }
      assert.deepEqual(found, [...replies, note])
    })

    it('follows relations of relations when asked to', async () => {
      await using chat = await openChat(driver)
      const { server, roomId } = chat
      const root = await server.say('alice', roomId, { msgtype: 'm.text', body: 'root' })
      const reply = await server.say('bob', roomId, relatesTo('m.thread', root))
      const reaction = await server.say(
        'bob',
        roomId,
        relatesTo('m.annotation', reply, { key: 'a' }),
        'm.reaction',
      )
      const on = await server.say('bob', roomId, relatesTo('m.reference', reaction))
      await server.say('bob', roomId, relatesTo('m.reference', on))
      const at = `/relations/${encodeURIComponent(root)}`
      assert.deepEqual(await ids(chat, 'alice', at), [reply])
      assert.deepEqual(await ids(chat, 'alice', `${at}?recurse=true`), [on, reaction, reply])
      assert.deepEqual(await ids(chat, 'alice', `${at}/m.annotation?recurse=true`), [reaction])
    })

    it('does not say whether there is an event to who may not see it', async () => {
      await using chat = await openChat(driver, { preset: 'public_chat' })
      const root = await chat.server.say('alice', chat.roomId, { msgtype: 'm.text', body: 'root' })
      const at = `${chat.path}/relations/`
      for (const eventId of [root, '$nothing']) {
        const answer = await chat.server.send('eve', { method: 'GET', url: at + encodeURIComponent(eventId) })
        assert.equal(answer.status, 404)
        assert.equal(answer.json()['errcode'], 'M_NOT_FOUND')
      }
    })

    it('refuses the same reaction twice, also when both come at once, until it is redacted', async () => {
      await using chat = await openChat(driver)
      const { server, roomId } = chat
      const root = await server.say('alice', roomId, { msgtype: 'm.text', body: 'root' })
      const react = (key: string, who = 'bob'): Promise<string> =>
        server.say(who, roomId, relatesTo('m.annotation', root, { key }), 'm.reaction')
      const both = await Promise.allSettled([react('👍'), react('👍'), react('👎'), react('👍', 'alice')])
      const refused = both.filter((one) => one.status === 'rejected')
      assert.equal(refused.length, 1)
      assert.match(String(refused[0]!.reason), /400.*M_DUPLICATE_ANNOTATION/)
      await assert.rejects(react('👎'), /M_DUPLICATE_ANNOTATION/)
      const thumbsDown = both[2]!
      assert.ok(thumbsDown.status === 'fulfilled')
      const at = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(thumbsDown.value)}`
      await server.call('bob', 'PUT', `${at}/r1`, {})
      await react('👎')
    })

    it('refuses a thread that starts at an event with a relation of its own', async () => {
      await using chat = await openChat(driver)
      const { server, roomId } = chat
      const root = await server.say('alice', roomId, { msgtype: 'm.text', body: 'root' })
      const reply = await server.say('alice', roomId, relatesTo('m.thread', root))
      await assert.rejects(server.say('alice', roomId, relatesTo('m.thread', reply)), /400.*M_UNKNOWN/)
    })

    it('lists threads by their latest reply, those of the reader only when asked to, page by page', async () => {
      await using chat = await openChat(driver)
      const { server, roomId } = chat
      const roots: string[] = []
      for (let i = 0; i < 4; i++) {
        roots.push(await server.say(i === 3 ? 'bob' : 'alice', roomId, { msgtype: 'm.text', body: `${i}` }))
      }
      for (const root of roots) await server.say('alice', roomId, relatesTo('m.thread', root))
      await server.say('bob', roomId, relatesTo('m.thread', roots[0]!))
      const order = [roots[0], roots[3], roots[2], roots[1]]
      assert.deepEqual(await ids(chat, 'bob', '/threads'), order)
      assert.deepEqual(await ids(chat, 'bob', '/threads?include=participated'), [roots[0], roots[3]])
      const first = await server.call('bob', 'GET', `${chat.path}/threads?limit=3`)
      assert.equal((first['chunk'] as unknown[]).length, 3)
      assert.ok(bundleOf((first['chunk'] as JsonObject[])[0]!)?.['m.thread'])
      const rest = `/threads?limit=3&from=${first['next_batch'] as string}`
      assert.deepEqual(await ids(chat, 'bob', rest), [roots[1]])
      const last = await server.call('bob', 'GET', `${chat.path}${rest}`)
      assert.equal(last['next_batch'], undefined)
      const stranger = await server.send('eve', { method: 'GET', url: `${chat.path}/threads` })
      assert.equal(stranger.status, 403)
    })

    it('messages are read by what relates to them, in pages, in a sync and in a search', async () => {
      await using chat = await openChat(driver)
      const { server, roomId } = chat
      const say = (who: string, content: JsonObject) => server.say(who, roomId, content)
      const threaded = await say('alice', { msgtype: 'm.text', body: 'threaded' })
      const cited = await say('alice', { msgtype: 'm.text', body: 'cited' })
      await say('alice', { msgtype: 'm.text', body: 'alone' })
      await say('bob', relatesTo('m.thread', threaded))
      await say('alice', relatesTo('m.reference', cited))
      const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`
      const read = async (filter: JsonObject): Promise<unknown[]> => {
        const text = encodeURIComponent(JSON.stringify(filter))
        const page = await server.call('bob', 'GET', `${path}/messages?dir=f&limit=100&filter=${text}`)
        return (page['chunk'] as JsonObject[]).map((event) => event['event_id'])
      }
      const synced = async (filter: JsonObject): Promise<unknown[]> => {
        const text = encodeURIComponent(JSON.stringify({ room: { timeline: filter } }))
        const sync = await server.call('bob', 'GET', `/_matrix/client/v3/sync?filter=${text}`)
        const joined = (sync['rooms'] as JsonObject)['join'] as Record<string, JsonObject>
        const timeline = joined[roomId]!['timeline'] as JsonObject
        return (timeline['events'] as JsonObject[]).map((event) => event['event_id'])
      }
      const bob = '@bob:test.example'
      for (const [filter, expected] of [
        [{ related_by_rel_types: ['m.thread'] }, [threaded]],
        [{ related_by_rel_types: ['m.thread', 'm.reference'] }, [threaded, cited]],
        [{ related_by_senders: [bob] }, [threaded]],
        [{ related_by_senders: [bob], related_by_rel_types: ['m.reference'] }, []],
        [{ related_by_rel_types: [] }, []],
      ] as const) {
        assert.deepEqual(await read(filter as unknown as JsonObject), expected, JSON.stringify(filter))
        assert.deepEqual(await synced(filter as unknown as JsonObject), expected, JSON.stringify(filter))
      }
      const search = async (filter: JsonObject): Promise<unknown> => {
        const criteria = { search_term: 'threaded', filter }
        const found = await server.call('bob', 'POST', '/_matrix/client/v3/search', {
          search_categories: { room_events: criteria },
        })
        const { results } = (found['search_categories'] as JsonObject)['room_events'] as JsonObject
        return (results as JsonObject[]).length
      }
      assert.equal(await search({ related_by_senders: [bob] }), 1)
      assert.equal(await search({ related_by_senders: ['@alice:test.example'] }), 0)
    })

    it('messages are read by the type of their relation (MSC3874), redacted ones as without any', async () => {
      await using chat = await openChat(driver)
      const { server, roomId } = chat
      const root = await server.say('alice', roomId, { msgtype: 'm.text', body: 'root' })
      const reply = await server.say('alice', roomId, relatesTo('m.thread', root))
      const reference = await server.say('bob', roomId, relatesTo('m.reference', root))
      const taken = await server.say('bob', roomId, relatesTo('m.thread', root))
      const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`
      await server.call('bob', 'PUT', `${path}/redact/${encodeURIComponent(taken)}/r1`, {})
      const found = async (filter: JsonObject): Promise<unknown[]> => {
        const text = encodeURIComponent(JSON.stringify({ types: ['m.room.message'], ...filter }))
        const page = await server.call('bob', 'GET', `${path}/messages?dir=f&limit=100&filter=${text}`)
        return (page['chunk'] as JsonObject[]).map((event) => event['event_id'])
      }
      const [wanted, unwanted] = ['org.matrix.msc3874.rel_types', 'org.matrix.msc3874.not_rel_types'] as const
      assert.deepEqual(await found({ [wanted]: ['m.thread'] }), [reply])
      assert.deepEqual(await found({ [wanted]: ['m.thread', 'm.reference'] }), [reply, reference])
      assert.deepEqual(await found({ [unwanted]: ['m.thread'] }), [root, reference, taken])
      const filter = JSON.stringify({
        room: { timeline: { types: ['m.room.message'], [wanted]: ['m.thread'] } },
      })
      const sync = await server.call(
        'bob',
        'GET',
        `/_matrix/client/v3/sync?filter=${encodeURIComponent(filter)}`,
      )
      const joined = (sync['rooms'] as JsonObject)['join'] as Record<string, JsonObject>
      const timeline = joined[roomId]!['timeline'] as JsonObject
      assert.deepEqual(
        (timeline['events'] as JsonObject[]).map((event) => event['event_id']),
        [reply],
      )
    })
  })
}
