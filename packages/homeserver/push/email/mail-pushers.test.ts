import assert from 'node:assert/strict'
import { after, before, describe, it } from 'node:test'
import { parse } from 'parse5'
import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { startMailServer, type ReceivedMail, type TestMailServer } from '../../email/test-mail-server.ts'
import type { DispatchResponse } from '../../http/dispatch.ts'
import { findServerDrivers, TEST_PASSWORD } from '../../test-server.ts'
import {
  headerOf,
  mailConfig,
  mailPusher,
  MINUTE,
  openMailScene,
  partsOf,
  type MailScene,
  type Reader,
} from './test-digest.ts'

const pageOf = (answer: DispatchResponse): string => Buffer.from(answer.bytes).toString()
const errcode = (answer: DispatchResponse): unknown[] => [answer.status, answer.json()['errcode']]

async function addressesTold(reader: Pick<Reader, 'call'>): Promise<unknown[]> {
  const { pushers } = await reader.call('GET', '/pushers')
  return (pushers as { kind: string; pushkey: string }[]).map(({ kind, pushkey }) => `${kind} ${pushkey}`)
}

const confirm = ({ userId }: Reader, password = TEST_PASSWORD): JsonObject => ({
  auth: { type: 'm.login.password', identifier: { type: 'm.id.user', user: userId }, password },
})

for (const driver of await findServerDrivers()) {
  describe(`pushers of the kind "email" on ${driver.name}`, { skip: driver.skip }, () => {
    let mail: TestMailServer
    let scene: MailScene
    before(async () => {
      mail = await startMailServer()
      const config = mailConfig(mail.port, { notifications_for_new_accounts: true })
      scene = await openMailScene(driver, mail, config)
    })
    after(async () => {
      await scene[Symbol.asyncDispose]()
      await mail[Symbol.asyncDispose]()
    })
    /** Somebody who missed something, and the mail about it. */
    async function told(name: string): Promise<{ reader: Reader; one: ReceivedMail; link: string }> {
      const [tom, reader] = [await scene.person(`${name}-friend`), await scene.person(name, true)]
      await tom.say(await scene.room(tom, reader), 'hello')
      await scene.pass(11 * MINUTE)
      const [one] = scene.mailsTo(reader)
      assert.ok(one !== undefined)
      const link = /https:\/\/test\.example(\/_causeway\/unsubscribe\S+)/.exec(
        partsOf(one).get('text/plain')!,
      )?.[1]
      assert.ok(link !== undefined)
      return { reader, one, link }
    }

    it('lead to an address of the account, and to no other', async () => {
      const [ann, bob] = [await scene.person('ann1'), await scene.person('bob1')]
      const set = (body: JsonObject): Promise<DispatchResponse> => ann.ask('POST', '/pushers/set', body)
      assert.deepEqual(errcode(await set(mailPusher(bob.address))), [400, 'M_THREEPID_NOT_FOUND'])
      assert.deepEqual(errcode(await set(mailPusher('nobody@mail.example'))), [400, 'M_THREEPID_NOT_FOUND'])
      assert.deepEqual(errcode(await set(mailPusher('no address'))), [400, 'M_THREEPID_NOT_FOUND'])
      const otherApp = mailPusher(ann.address, { app_id: 'org.example.app' })
      assert.deepEqual(errcode(await set(otherApp)), [400, 'M_INVALID_PARAM'])
      assert.deepEqual(await addressesTold(ann), [])
      assert.equal((await set(mailPusher(ann.address.toUpperCase()))).status, 200)
      assert.equal((await set(mailPusher(ann.address))).status, 200)
      assert.deepEqual((await ann.call('GET', '/pushers'))['pushers'], [mailPusher(ann.address)])
      await ann.call('POST', '/pushers/set', { ...mailPusher(ann.address.toUpperCase()), kind: null })
      assert.deepEqual(await addressesTold(ann), [])
    })

    it('are of the account: they outlast its sessions and passwords, and go with the address and the account', async () => {
      const ann = await scene.person('ann2', true)
      const password = { ...confirm(ann), new_password: `${TEST_PASSWORD}!` }
      await ann.call('POST', '/account/password', password)
      await ann.call('POST', '/logout')
      const login = await scene.server.request('POST', '/_matrix/client/v3/login', {
        body: { ...(confirm(ann, `${TEST_PASSWORD}!`)['auth'] as JsonObject) },
      })
      const again = login.json()['access_token'] as string
      const call = async (method: string, path: string, body?: JsonObject): Promise<JsonObject> => {
        const request = { token: again, ...(body === undefined ? {} : { body }) }
        const answer = await scene.server.request(method, `/_matrix/client/v3${path}`, request)
        assert.equal(answer.status, 200, JSON.stringify(answer.json()))
        return answer.json()
      }
      assert.deepEqual(await addressesTold({ call }), [`email ${ann.address}`])
      await call('POST', '/account/3pid/delete', { medium: 'email', address: 'ANN2@mail.example' })
      assert.deepEqual(await addressesTold({ call }), [])
      const bob = await scene.person('bob2', true)
      await bob.call('POST', '/account/deactivate', confirm(bob))
      const rows = await scene.server.hs.db.query('SELECT nid FROM pushers WHERE user_id = ?', [bob.userId])
      assert.deepEqual(rows, [])
    })

    it('end by the button of the page that the link in a mail leads to, and by nothing before', async () => {
      const { reader, link } = await told('ann3')
      const page = await scene.server.request('GET', link)
      assert.equal(page.status, 200)
      const errors: string[] = []
      parse(pageOf(page), { onParseError: ({ code }) => errors.push(code) })
      assert.deepEqual(errors, [])
      assert.ok(pageOf(page).includes(reader.address))
      assert.deepEqual(await addressesTold(reader), [`email ${reader.address}`])
      const [, action] = /<form method="post" action="([^"]+)"/.exec(pageOf(page))!
      const [, token] = /name="token" value="([^"]+)"/.exec(pageOf(page))!
      const body = new URLSearchParams({ token: token! }).toString()
      for (let turn = 0; turn < 2; turn++) {
        const done = await scene.server.request('POST', action!, { body: body as never })
        assert.match(pageOf(done), /No more mails/)
      }
      assert.deepEqual(await addressesTold(reader), [])
      assert.match(pageOf(await scene.server.request('GET', link)), /No more mails/)
    })

    it('end by the one click of a mail program (RFC 8058)', async () => {
      const { reader, one } = await told('ann4')
      assert.equal(headerOf(one, 'list-unsubscribe-post'), 'List-Unsubscribe=One-Click')
      const [, target] = /^<https:\/\/test\.example(\S+)>$/.exec(headerOf(one, 'list-unsubscribe'))!
      const answer = await scene.server.request('POST', target!, {
        body: 'List-Unsubscribe=One-Click' as never,
      })
      assert.equal(answer.status, 200)
      assert.deepEqual(await addressesTold(reader), [])
    })

    it('do not end by a token that this server did not make, nor by that of another', async () => {
      const [ann, bob] = [await told('ann5'), await told('bob5')]
      const tokenOf = (link: string): string => new URL(link, 'https://x').searchParams.get('token')!
      const [nid, signature] = tokenOf(ann.link).split('-') as [string, string]
      const [, otherSignature] = tokenOf(bob.link).split('-')
      const forged = [
        '',
        nid,
        `${nid}-`,
        `${nid}-${otherSignature}`,
        `1${nid}-${signature}`,
        `${nid}-${'A'.repeat(32)}`,
      ]
      for (const token of forged) {
        for (const method of ['GET', 'POST']) {
          const path = `/_causeway/unsubscribe?${new URLSearchParams({ token }).toString()}`
          const body = method === 'POST' ? { body: 'List-Unsubscribe=One-Click' as never } : {}
          assert.equal((await scene.server.request(method, path, body)).status, 403, `${method} ${token}`)
        }
      }
      assert.deepEqual(await addressesTold(ann.reader), [`email ${ann.reader.address}`])
    })

    it('are there for new accounts where the operator wants it', async () => {
      const ask = async (path: string, body: JsonObject): Promise<JsonObject> =>
        (await scene.server.request('POST', `/_matrix/client/v3${path}`, { body })).json()
      const secret = { client_secret: 'sec.ret' }
      const email = 'new@mail.example'
      const { sid } = await ask('/register/email/requestToken', { ...secret, email, send_attempt: 1 })
      const arrived = mail.mails.length > 0 && mail.mails.some(({ to }) => to.includes(email))
      if (!arrived) await mail.arrived(mail.mails.length + 1)
      const { link } = mail.mails.find(({ to }) => to.includes(email))!
      const form = new URL(link!, 'https://test.example').searchParams.toString()
      await scene.server.request('POST', '/_causeway/email', { body: form as never })
      const account = { username: 'newcomer', password: TEST_PASSWORD }
      const { session } = await ask('/register', account)
      const stage = {
        type: 'm.login.email.identity',
        threepid_creds: { ...secret, sid: sid! },
        session: session!,
      }
      const made = await ask('/register', { ...account, auth: stage })
      const token = made['access_token'] as string
      assert.ok(typeof token === 'string', JSON.stringify(made))
      const pushers = await scene.server.request('GET', '/_matrix/client/v3/pushers', { token })
      const [one, ...others] = pushers.json()['pushers'] as JsonObject[]
      assert.deepEqual([one!['kind'], one!['app_id'], one!['pushkey']], ['email', 'm.email', email])
      assert.deepEqual(others, [])
      // By default there are none.
      assert.equal(mailConfig(1).email.notifications_for_new_accounts, false)
    })

    it('are refused where no mail is sent, and where the operator does not want it', async () => {
      for (const email of [mailConfig(1, { notifications: false }), {}]) {
        await using without = await openMailScene(driver, { port: 1, mails: [] }, email)
        const ann = await without.person('ann')
        const answer = await ann.ask('POST', '/pushers/set', mailPusher(ann.address))
        assert.deepEqual(errcode(answer), [400, 'M_INVALID_PARAM'])
      }
    })
  })
}
