import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { parse } from 'parse5'
import { freePort } from '@causeway/testkit/free-port.ts'
import { startMailServer, type TestMailServer } from '../../email/test-mail-server.ts'
import { setStanding } from '../../accounts/administer.ts'
import type { UserId } from '@causeway/matrix/ids/ids.ts'
import { listPushersOfUser } from '@causeway/store/tables/pushers.ts'
import { findServerDrivers } from '../../test-server.ts'
import { reviewMissed } from './review.ts'
import { headerOf, mailConfig, MINUTE, openMailScene, partsOf, type MailScene } from './test-digest.ts'

const HOUR = 60 * MINUTE

for (const driver of await findServerDrivers()) {
  describe(`e-mail of missed messages on ${driver.name}`, { skip: driver.skip }, () => {
    let mail: TestMailServer
    let scene: MailScene
    before(async () => {
      mail = await startMailServer()
      scene = await openMailScene(driver, mail)
    })
    after(async () => {
      await scene[Symbol.asyncDispose]()
      await mail[Symbol.asyncDispose]()
    })
    const bodiesTo = (reader: Parameters<MailScene['mailsTo']>[0]): string[] =>
      scene.mailsTo(reader).map((one) => partsOf(one).get('text/plain')!)

    it('is one mail of all rooms, ten minutes after the first message, in text and HTML', async () => {
      const [tom, bea] = [await scene.person('tom1'), await scene.person('bea1', true)]
      const named = await scene.room(tom, bea, { name: 'Mission <Control>' })
      const secret = await scene.room(tom, bea, {
        initial_state: [
          { type: 'm.room.encryption', state_key: '', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
        ],
      })
      for (const room of [named, secret]) {
        const own = `/rooms/${encodeURIComponent(room)}/state/m.room.member/${encodeURIComponent(tom.userId)}`
        await tom.call('PUT', own, { membership: 'join', displayname: 'Tom\r\nBcc: x' })
      }
      await tom.say(named, 'Ground control to <b>Major Tom</b>\n-- \nnot ours')
      await tom.say(named, 'picture.png', { msgtype: 'm.image', url: 'mxc://test.example/x' })
      const sealed = `/rooms/${encodeURIComponent(secret)}/send/m.room.encrypted/s1`
      await tom.call('PUT', sealed, { algorithm: 'm.megolm.v1.aes-sha2', ciphertext: 'c0ffee' })
      await scene.pass(7 * MINUTE)
      assert.equal(scene.mailsTo(bea).length, 0)
      await scene.pass(4 * MINUTE)
      const [one, ...others] = scene.mailsTo(bea)
      assert.deepEqual(others, [])
      assert.ok(one !== undefined)
      assert.equal(headerOf(one, 'subject'), '[Quill] Unread messages in Mission <Control> and 1 other room')
      const text = partsOf(one).get('text/plain')!
      assert.match(
        text,
        /^- Tom Bcc: x, \d{4}-\d\d-\d\d \d\d:\d\d UTC:\n {4}Ground control to <b>Major Tom<\/b>\n {4}--/m,
      )
      assert.match(text, /^- Tom Bcc: x sent a picture, /m)
      assert.match(text, /^\* the conversation with Tom Bcc: x$/m)
      assert.match(text, /^- Tom Bcc: x sent an encrypted message, /m)
      assert.ok(text.includes(`https://matrix.to/#/${encodeURIComponent(named)}?via=test.example\n`))
      const html = partsOf(one).get('text/html')!
      assert.ok(html.includes('<h2>Mission &lt;Control&gt;</h2>'))
      assert.ok(html.includes('&lt;b&gt;Major Tom&lt;/b&gt;'))
      assert.ok(!html.includes('c0ffee') && !text.includes('c0ffee'))
      assert.match(html, /<html lang="en">/)
      assert.doesNotMatch(html, /<(img|script|link|iframe)|url\(/)
      const errors: string[] = []
      parse(html, { onParseError: ({ code }) => errors.push(code) })
      assert.deepEqual(errors, [])
      assert.doesNotMatch(one.headers, /^bcc:/im)
      // It is told once.
      await scene.pass(25 * HOUR)
      assert.equal(scene.mailsTo(bea).length, 1)
    })

    it('is not sent of what was read in time, on any device, in its thread', async () => {
      const [tom, bea] = [await scene.person('tom2'), await scene.person('bea2', true)]
      const room = await scene.room(tom, bea)
      const root = await tom.say(room, 'root')
      const answer = await tom.say(room, 'in a thread', {
        'm.relates_to': { rel_type: 'm.thread', event_id: root },
      })
      await bea.read(room, root, { thread_id: 'main' })
      await bea.read(room, answer, { thread_id: root })
      await scene.pass(11 * MINUTE)
      assert.deepEqual(bodiesTo(bea), [])
      // The minutes are those of the message that is missed, not of the one before it.
      const seen = await tom.say(room, 'seen')
      await scene.pass(8 * MINUTE)
      await bea.read(room, seen)
      await tom.say(room, 'not seen')
      await scene.pass(4 * MINUTE)
      assert.deepEqual(bodiesTo(bea), [])
      await scene.pass(7 * MINUTE)
      assert.equal(bodiesTo(bea).length, 1)
      assert.ok(bodiesTo(bea)[0]!.includes('not seen') && !bodiesTo(bea)[0]!.includes('    seen'))
    })

    it('comes for one room ever more seldom, until it is read', async () => {
      const [tom, bea] = [await scene.person('tom3'), await scene.person('bea3', true)]
      const room = await scene.room(tom, bea)
      const count = (): number => scene.mailsTo(bea).length
      await tom.say(room, 'm1')
      await scene.pass(11 * MINUTE)
      assert.equal(count(), 1)
      await tom.say(room, 'm2')
      await scene.pass(45 * MINUTE)
      assert.equal(count(), 1)
      await scene.pass(20 * MINUTE)
      assert.equal(count(), 2)
      await tom.say(room, 'm3')
      await scene.pass(90 * MINUTE)
      assert.equal(count(), 2)
      // Another room has its own pause; its mail tells of this one as well.
      const other = await scene.room(tom, bea)
      await tom.say(other, 'm4')
      await scene.pass(11 * MINUTE)
      assert.equal(count(), 3)
      assert.match(bodiesTo(bea)[2]!, /m3[^]*m4/)
      const last = await tom.say(room, 'm5')
      await scene.pass(3 * HOUR)
      assert.equal(count(), 3)
      await bea.read(room, last)
      await tom.say(room, 'm6')
      await scene.pass(11 * MINUTE)
      assert.equal(count(), 4)
      // Lines of messages are indented: links have such letters by chance.
      assert.ok(bodiesTo(bea)[3]!.includes('    m6') && !bodiesTo(bea)[3]!.includes('    m5'))
    })

    it('follows the push rules: a muted room is silent, of another only mentions are told', async () => {
      const [tom, bea] = [await scene.person('tom4'), await scene.person('bea4', true)]
      const [muted, mentions] = [await scene.room(tom, bea), await scene.room(tom, bea)]
      await bea.call('PUT', `/pushrules/global/override/${encodeURIComponent(muted)}`, {
        conditions: [{ kind: 'event_match', key: 'room_id', pattern: muted }],
        actions: [],
      })
      await bea.call('PUT', `/pushrules/global/room/${encodeURIComponent(mentions)}`, { actions: [] })
      for (const room of [muted, mentions]) {
        await tom.say(room, 'plain words')
        await tom.say(room, 'hey bea', { 'm.mentions': { user_ids: [bea.userId] } })
      }
      await scene.pass(11 * MINUTE)
      const [text, ...others] = bodiesTo(bea)
      assert.deepEqual(others, [])
      assert.match(text!, /hey bea/)
      assert.doesNotMatch(text!, /plain words/)
      assert.ok(!text!.includes(encodeURIComponent(muted)))
    })

    it('tells of an invitation, and not of what somebody says who is ignored', async () => {
      const [tom, bea] = [await scene.person('tom5'), await scene.person('bea5', true)]
      const eve = await scene.person('eve5')
      await bea.call('PUT', `/user/${encodeURIComponent(bea.userId)}/account_data/m.ignored_user_list`, {
        ignored_users: { [eve.userId]: {} },
      })
      await tom.call('POST', '/createRoom', { name: 'Party', invite: [bea.userId] })
      await eve.call('POST', '/createRoom', { name: 'Trap', invite: [bea.userId] })
      await scene.pass(11 * MINUTE)
      const [text] = bodiesTo(bea)
      assert.match(text!, /^\* Party\n[^]*^- tom5 invited you, /m)
      assert.doesNotMatch(text!, /Trap/)
    })

    it('is bounded, and says how much more there is', async () => {
      const [tom, bea] = [await scene.person('tom6'), await scene.person('bea6', true)]
      const first = await scene.room(tom, bea)
      for (let n = 0; n < 7; n++) await tom.say(first, n === 0 ? `long ${'x'.repeat(2_000)}` : `n${n}`)
      for (let n = 0; n < 11; n++) await tom.say(await scene.room(tom, bea, { name: `Room ${n}` }), 'hi')
      await scene.pass(11 * MINUTE)
      const [text, ...others] = bodiesTo(bea)
      assert.deepEqual(others, [])
      assert.match(text!, /^- and 2 more$/m)
      assert.match(text!, /^There are unread messages in 2 more rooms\.$/m)
      assert.ok(!text!.includes('x'.repeat(600)))
      assert.equal(text!.match(/^\* /gm)?.length, 10)
    })

    it('leaves rooms that are too many for one to the next', async () => {
      const [tom, bea] = [await scene.person('tom10'), await scene.person('bea10', true)]
      for (let n = 0; n < 3; n++) await tom.say(await scene.room(tom, bea), 'hi')
      const { hs } = scene.server
      await hs.push.settled()
      const [pusher] = await listPushersOfUser(hs.db, bea.userId)
      const now = scene.clock.now()
      const deps = { ...hs, now, delayMs: 10 * MINUTE, upTo: hs.log.head() }
      const some = await reviewMissed({ ...deps, mostRooms: 2 }, pusher!)
      assert.deepEqual([some.missed.length, some.restTs], [2, now + 10 * MINUTE])
      const all = await reviewMissed(deps, pusher!)
      assert.deepEqual([all.missed.length, all.restTs], [3, undefined])
      await scene.pass(11 * MINUTE)
      assert.equal(bodiesTo(bea).length, 1)
    })

    it('waits for a mail server that refuses it, and then comes once', async () => {
      const [tom, bea] = [await scene.person('tom7'), await scene.person('bea7', true)]
      const room = await scene.room(tom, bea)
      await tom.say(room, 'patience')
      mail.refuse(2)
      await scene.pass(11 * MINUTE)
      const failing = async (): Promise<unknown> => {
        const sql = 'SELECT failing_since AS since FROM pushers WHERE user_id = ?'
        return (await scene.server.hs.db.query<{ since: number }>(sql, [bea.userId]))[0]!.since > 0
      }
      assert.equal(await failing(), true)
      await scene.pass(20_000)
      assert.deepEqual(bodiesTo(bea), [])
      await scene.pass(MINUTE)
      assert.deepEqual(bodiesTo(bea), [])
      await scene.pass(3 * MINUTE)
      assert.equal(bodiesTo(bea).length, 1)
      assert.equal(await failing(), false)
      assert.equal(scene.server.hs.push.mails.get('refused'), 2)
    })

    it('is not sent to somebody who is locked, nor to an address that is not theirs any more', async () => {
      const [tom, bea] = [await scene.person('tom8'), await scene.person('bea8', true)]
      const room = await scene.room(tom, bea)
      await tom.say(room, 'later')
      await setStanding(scene.server.hs, bea.userId as UserId, 'locked', true)
      await scene.pass(11 * MINUTE)
      assert.deepEqual(bodiesTo(bea), [])
      await setStanding(scene.server.hs, bea.userId as UserId, 'locked', false)
      await scene.pass(7 * HOUR)
      assert.equal(bodiesTo(bea).length, 1)
      await bea.read(room, await tom.say(room, 'read'))
      await tom.say(room, 'never')
      // As by a way that knows nothing of pushers.
      const gone = { sql: 'DELETE FROM user_threepids WHERE user_id = ?', params: [bea.userId] }
      await scene.server.hs.db.commit({ entries: [], steps: [gone] })
      await scene.pass(11 * MINUTE)
      assert.equal(bodiesTo(bea).length, 1)
      assert.deepEqual((await bea.call('GET', '/pushers'))['pushers'], [])
    })

    it('goes on after a restart where it was', async () => {
      const [tom, bea] = [await scene.person('tom9'), await scene.person('bea9', true)]
      const room = await scene.room(tom, bea)
      await tom.say(room, 'before')
      await scene.restart()
      await tom.say(room, 'after')
      await scene.pass(7 * MINUTE)
      assert.deepEqual(bodiesTo(bea), [])
      await scene.restart()
      await scene.pass(4 * MINUTE)
      assert.equal(bodiesTo(bea).length, 1)
      assert.match(bodiesTo(bea)[0]!, /before[^]*after/)
      await scene.restart()
      await tom.say(room, 'more')
      await scene.pass(30 * MINUTE)
      assert.equal(bodiesTo(bea).length, 1)
    })

    it('waits for a mail server that is not there', async () => {
      const port = await freePort()
      const late: TestMailServer['mails'] = []
      await using alone = await openMailScene(driver, { port, mails: late }, mailConfig(port))
      const [tom, bea] = [await alone.person('tom'), await alone.person('bea', true)]
      await tom.say(await alone.room(tom, bea), 'hello')
      await alone.pass(11 * MINUTE)
      assert.ok(alone.server.hs.push.mails.get('unreachable')! >= 1)
      await using found = await startMailServer(undefined, port)
      await alone.pass(16 * MINUTE)
      assert.equal(found.mails.length, 1)
      assert.ok(partsOf(found.mails[0]!).get('text/plain')!.includes('hello'))
      const left = await alone.server.hs.db.query('SELECT * FROM digest_turns', [])
      assert.deepEqual(left, [])
    })
  })
}
