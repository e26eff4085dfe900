import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import sharp from 'sharp'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { Mxc, RoomId } from '@causeway/matrix/ids/ids.ts'
import { splitMxc } from '@causeway/matrix/ids/mxc.ts'
import { systemClock } from '@causeway/store/clock/system.ts'
import { openTestPeople, type TestPeople } from '../client/test-people.ts'
import { indexOldMedia } from '../jobs/index-media.ts'
import { purgeRoom } from '../jobs/purge-room.ts'
import { findServerDrivers, type ServerDriver } from '../test-server.ts'
import { forgetUnreferencedMedia } from './forget-unreferenced.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

interface Scene extends AsyncDisposable {
  readonly server: TestPeople
  readonly roomId: string
  upload(who: string, text: string): Promise<Mxc>
  /** Sends a picture, and gives the event's id. */
  show(who: string, mxc: Mxc, more?: JsonObject): Promise<string>
  redact(who: string, eventId: string): Promise<void>
  put(who: string, path: string, body: JsonObject): Promise<JsonObject>
  /** Lets days go by, and the chore do its work. */
  days(n: number): Promise<void>
  isThere(mxc: Mxc): Promise<boolean>
}

async function open(driver: ServerDriver): Promise<Scene> {
  let now = Date.UTC(2026, 8, 1)
  const server = await openTestPeople(driver, {}, { ...systemClock, now: () => now })
  Object.assign(server.hs.config.media, { redacted_kept: 7 * DAY_MS, max_upload_size: 1_000_000 })
  Object.assign(server.hs.config.media, { max_image_pixels: 1_000_000 })
  const made = await server.call('alice', 'POST', '/_matrix/client/v3/createRoom', { preset: 'public_chat' })
  const roomId = made['room_id'] as string
  const room = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`
  await server.call('bob', 'POST', `${room}/join`, {})
  let txn = 0
  return {
    server,
    roomId,
    async upload(who, text) {
      const answer = await server.send(who, {
        method: 'POST',
        url: '/_matrix/media/v3/upload',
        body: Buffer.from(text),
      })
      return answer.json()['content_uri'] as Mxc
    },
    show: (who, mxc, more = {}) =>
      server.say(who, roomId, { msgtype: 'm.image', body: 'a picture', url: mxc, ...more }),
    async redact(who, eventId) {
      await server.call(who, 'PUT', `${room}/redact/${encodeURIComponent(eventId)}/r${txn++}`, {})
    },
    put: (who, path, body) => server.call(who, 'PUT', `/_matrix/client/v3${path}`, body),
    async days(n) {
      now += n * DAY_MS
      await forgetUnreferencedMedia(server.hs).run()
    },
    async isThere(mxc) {
      const { serverName, mediaId } = splitMxc(mxc)
      const url = `/_matrix/client/v1/media/download/${serverName}/${mediaId}`
      return (await server.send('bob', { method: 'GET', url })).status === 200
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

for (const driver of await findServerDrivers()) {
  describe(`media of redacted events on ${driver.name}`, { skip: driver.skip }, () => {
    it('goes after the time that the operator set, with its bytes and thumbnails', async () => {
      await using scene = await open(driver)
      const { server, roomId } = scene
      const image = sharp({ create: { width: 90, height: 90, channels: 3, background: '#069' } })
      const sent = await server.send('bob', {
        method: 'POST',
        url: '/_matrix/media/v3/upload',
        body: await image.png().toBuffer(),
      })
      const mxc = sent.json()['content_uri'] as Mxc
      const { serverName, mediaId } = splitMxc(mxc)
      const query = 'width=32&height=32&method=crop'
      const url = `/_matrix/client/v1/media/thumbnail/${serverName}/${mediaId}?${query}`
      assert.equal((await server.send('bob', { method: 'GET', url })).status, 200)
      // Named twice in one event, once in formatted text.
      const eventId = await server.say('bob', roomId, {
        msgtype: 'm.text',
        body: 'x',
        format: 'org.matrix.custom.html',
        formatted_body: `<img src="${mxc}"> and <img src="${mxc}">`,
      })
      await scene.days(30)
      assert.ok(await scene.isThere(mxc))
      // Somebody who may, not the author.
      await scene.redact('alice', eventId)
      await scene.days(6)
      assert.ok(await scene.isThere(mxc))
      await scene.days(1)
      assert.ok(!(await scene.isThere(mxc)))
      for await (const { hash } of server.hs.blobs.list()) assert.fail(`${hash} is left`)
    })

    it('stays while another event shows it, and goes with the last one', async () => {
      await using scene = await open(driver)
      const mxc = await scene.upload('bob', 'shown three times')
      const first = await scene.show('bob', mxc)
      const second = await scene.show('alice', mxc)
      await scene.redact('bob', first)
      await scene.days(8)
      const third = await scene.show('bob', 'mxc://other.example/file' as Mxc, {
        info: { thumbnail_url: mxc },
      })
      await scene.redact('alice', second)
      await scene.days(8)
      assert.ok(await scene.isThere(mxc))
      await scene.redact('bob', third)
      await scene.days(8)
      assert.ok(!(await scene.isThere(mxc)))
    })

    it('stays when it is sent once more before its time has come', async () => {
      await using scene = await open(driver)
      const mxc = await scene.upload('bob', 'sent again')
      await scene.redact('bob', await scene.show('bob', mxc))
      await scene.days(6)
      await scene.show('alice', mxc)
      await scene.days(6)
      assert.ok(await scene.isThere(mxc))
    })

    it('stays as picture of a person or a room, and as somebody’s sticker', async () => {
      await using scene = await open(driver)
      const { server, roomId } = scene
      const kept: Mxc[] = []
      const use = async (set: (mxc: Mxc) => Promise<unknown>): Promise<void> => {
        const mxc = await scene.upload('alice', `picture ${kept.length}`)
        const eventId = await scene.show('alice', mxc)
        await set(mxc)
        await scene.redact('alice', eventId)
        kept.push(mxc)
      }
      const profile = (who: string): string =>
        `/profile/${encodeURIComponent(`@${who}:test.example`)}/avatar_url`
      await use((mxc) => scene.put('alice', profile('alice'), { avatar_url: mxc }))
      // In no room, so that no event has the picture.
      await use((mxc) => scene.put('carol', profile('carol'), { avatar_url: mxc }))
      const avatar = `/rooms/${encodeURIComponent(roomId)}/state/m.room.avatar/`
      await use((mxc) => scene.put('alice', avatar, { url: mxc }))
      const pack = `/user/${encodeURIComponent('@bob:test.example')}/account_data/im.ponies.user_emotes`
      await use((mxc) => scene.put('bob', pack, { images: { cat: { url: mxc } } }))
      await server.hs.rooms.queue.idle()
      await scene.days(8)
      for (const mxc of kept) assert.ok(await scene.isThere(mxc), mxc)
      const rows = await server.hs.db.query('SELECT media_id FROM media_unreferenced', [])
      assert.deepEqual(rows, [])
    })

    it('is not deleted by somebody who points at it and takes that back', async () => {
      await using scene = await open(driver)
      const mxc = await scene.upload('bob', 'in an encrypted room, for all this server knows')
      await scene.redact('alice', await scene.show('alice', mxc))
      await scene.days(8)
      assert.ok(await scene.isThere(mxc))
    })

    it('stays as long as somebody has it sent later, and goes when they have that cancelled', async () => {
      await using scene = await open(driver)
      const { server, roomId } = scene
      Object.assign(server.hs.config.media, { redacted_kept: HOUR_MS })
      const mxc = await scene.upload('bob', 'for later')
      await scene.redact('bob', await scene.show('bob', mxc))
      const room = `/rooms/${encodeURIComponent(roomId)}`
      const later = `${room}/send/m.room.message/later?org.matrix.msc4140.delay=${20 * HOUR_MS}`
      const { delay_id: id } = await scene.put('bob', later, { msgtype: 'm.image', body: 'x', url: mxc })
      await scene.days(2 / 24)
      assert.ok(await scene.isThere(mxc))
      const delayed = '/_matrix/client/unstable/org.matrix.msc4140/delayed_events'
      await server.call('bob', 'POST', `${delayed}/${id as string}/cancel`, {})
      await scene.days(2 / 24)
      assert.ok(!(await scene.isThere(mxc)))
    })

    it('goes with the room that alone showed it', async () => {
      await using scene = await open(driver)
      const { server, roomId } = scene
      const [gone, elsewhere, pointed] = [
        await scene.upload('bob', 'only here'),
        await scene.upload('bob', 'in two rooms'),
        await scene.upload('bob', 'in an encrypted room, for all this server knows'),
      ]
      for (const mxc of [gone, elsewhere]) await scene.show('bob', mxc)
      await scene.show('alice', pointed)
      const other = await server.call('bob', 'POST', '/_matrix/client/v3/createRoom', {})
      const content = { msgtype: 'm.image', body: 'a picture', url: elsewhere }
      await server.say('bob', other['room_id'] as string, content)
      await purgeRoom(server.hs, roomId as RoomId, { force: true })
      await server.hs.jobs.idle()
      await scene.days(6)
      assert.ok(await scene.isThere(gone))
      await scene.days(2)
      const left = await Promise.all([gone, elsewhere, pointed].map((mxc) => scene.isThere(mxc)))
      assert.deepEqual(left, [false, true, true])
    })

    it('is left alone until events from before are looked through, which a job does', async () => {
      await using scene = await open(driver)
      const { hs } = scene.server
      const mxc = await scene.upload('bob', 'old')
      const first = await scene.show('bob', mxc)
      const other = await scene.upload('bob', 'shown by an old event')
      const redacted = await scene.show('bob', other)
      await scene.show('alice', other)
      const sql = 'SELECT media_id, event_nid FROM media_references ORDER BY media_id, event_nid'
      const before = await hs.db.query(sql, [])
      assert.equal(before.length, 3)
      // As if all that had been said before references were kept.
      const forget = ['DELETE FROM media_references', "DELETE FROM cursors WHERE name = 'media_references'"]
      await hs.db.commit({ entries: [], steps: forget.map((text) => ({ sql: text, params: [] })) })
      const late = await scene.upload('bob', 'new')
      await scene.redact('bob', await scene.show('bob', late))
      await scene.days(8)
      assert.ok(await scene.isThere(late))
      await indexOldMedia(hs)
      await hs.jobs.idle()
      assert.deepEqual(await hs.db.query(sql, []), before)
      await scene.redact('bob', first)
      await scene.redact('bob', redacted)
      await scene.days(8)
      assert.deepEqual([await scene.isThere(late), await scene.isThere(mxc)], [false, false])
      assert.ok(await scene.isThere(other))
      await indexOldMedia(hs)
      const jobs = await hs.db.query("SELECT id FROM jobs WHERE kind = 'index_media'", [])
      assert.equal(jobs.length, 1)
    })
  })
}
