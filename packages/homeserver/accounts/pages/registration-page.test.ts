import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parse, type DefaultTreeAdapterTypes } from 'parse5'
import { accountRoutes } from '../../client/account-routes.ts'
import type { DispatchResponse } from '../../http/dispatch.ts'
import { findServerDrivers, type TestServer } from '../../test-server.ts'
import { createRegistrationToken } from '../administer.ts'
import { ensureFirstAdminLink } from '../first-admin.ts'
import { html } from './html.ts'

type Element = DefaultTreeAdapterTypes.Element

const textOf = (answer: DispatchResponse): string => Buffer.from(answer.bytes).toString()

function elementsOf(answer: DispatchResponse): Element[] {
  const found: Element[] = []
  const walk = (node: DefaultTreeAdapterTypes.Node): void => {
    if ('tagName' in node) found.push(node)
    if ('childNodes' in node) node.childNodes.forEach(walk)
  }
  walk(parse(textOf(answer)))
  return found
}

const attribute = (element: Element, name: string): string | undefined =>
  element.attrs.find((one) => one.name === name)?.value

const terms = [
  { id: 'tos', version: '1', name: 'Terms & "more"', url: 'https://test.example/t', language: 'en' },
]

for (const driver of await findServerDrivers()) {
  describe(`the registration page on ${driver.name}`, { skip: driver.skip }, () => {
    const start = (more: object = {}) =>
      driver.start({
        endpoints: accountRoutes,
        config: { registration: { mode: 'closed', terms: [], ...more } as never },
      })
    const submit = (server: TestServer, fields: Record<string, string>) =>
      server.request('POST', '/_causeway/register', { body: new URLSearchParams(fields).toString() as never })
    const good = { username: 'Boss', password: 'a long password', repeat: 'a long password' }

    it('makes the first administrator, once, by the link of the first start', async () => {
      await using server = await start()
      const link = await ensureFirstAdminLink(server.hs)
      assert.match(link!, /^https:\/\/test\.example\/_causeway\/register\?token=[A-Za-z0-9]{32}$/)
      assert.equal(await ensureFirstAdminLink(server.hs), link)
      const { pathname, search, searchParams } = new URL(link!)
      const page = await server.request('GET', pathname + search)
      assert.equal(page.status, 200)
      assert.match(textOf(page), /first administrator/)
      const token = searchParams.get('token')!
      const done = await submit(server, { ...good, token })
      assert.equal(done.status, 200)
      assert.match(textOf(done), /@boss:test\.example/)
      const [user] = await server.hs.db.query('SELECT user_id, is_admin FROM users', [])
      assert.deepEqual({ ...user }, { user_id: '@boss:test.example', is_admin: 1 })
      assert.equal((await submit(server, { ...good, username: 'second', token })).status, 403)
      assert.equal((await server.request('GET', pathname + search)).status, 403)
      assert.equal(await ensureFirstAdminLink(server.hs), undefined)
    })
    it('makes one account of two who use a link for one at the same time', async () => {
      await using server = await start()
      const { token } = await createRegistrationToken(server.hs, { usesAllowed: 1 })
      const answers = await Promise.all(
        ['a1', 'a2'].map((username) => submit(server, { ...good, username, token })),
      )
      assert.deepEqual(
        answers.map(({ status }) => status).toSorted((a, b) => a - b),
        [200, 403],
      )
    })
    it('says what is wrong beside what was typed, and never shows a password', async () => {
      await using server = await start({ terms })
      const { token } = await createRegistrationToken(server.hs, {})
      const agreed = { ...good, 'terms:tos': 'on', token }
      const cases: [Record<string, string>, string][] = [
        [{ ...agreed, username: 'a"><script>' }, 'username'],
        [{ ...agreed, username: '' }, 'username'],
        [{ ...agreed, password: 'short', repeat: 'short' }, 'password'],
        [{ ...agreed, repeat: 'another password' }, 'repeat'],
        [{ ...good, token }, 'terms:tos'],
      ]
      for (const [fields, name] of cases) {
        const answer = await submit(server, fields)
        assert.equal(answer.status, 400)
        const elements = elementsOf(answer)
        const invalid = elements.filter((one) => attribute(one, 'aria-invalid') === 'true')
        assert.deepEqual(
          invalid.map((one) => attribute(one, 'name')),
          [name],
        )
        assert.equal(elements.filter((one) => attribute(one, 'role') === 'alert').length, 1)
        assert.equal(
          elements.some(({ tagName }) => tagName === 'script'),
          false,
        )
        assert.ok(!textOf(answer).includes(fields['password']!))
      }
      assert.equal((await submit(server, agreed)).status, 200)
      const [user] = await server.hs.db.query('SELECT is_admin, terms_accepted FROM users', [])
      assert.deepEqual({ ...user }, { is_admin: 0, terms_accepted: '{"tos":"1"}' })
      const taken = await submit(server, agreed)
      assert.equal(taken.status, 400)
      assert.match(textOf(taken), /taken/)
    })
    it('can be used by keyboard and read by a screen reader, without a script', async () => {
      await using server = await start({ terms })
      const { token } = await createRegistrationToken(server.hs, {})
      const page = await server.request('GET', `/_causeway/register?token=${token}`)
      const elements = elementsOf(page)
      const byTag = (name: string): Element[] => elements.filter(({ tagName }) => tagName === name)
      assert.equal(attribute(byTag('html')[0]!, 'lang'), 'en')
      assert.deepEqual([byTag('h1').length, byTag('main').length, byTag('script').length], [1, 1, 0])
      const ids = elements.flatMap((one) => attribute(one, 'id') ?? [])
      assert.equal(new Set(ids).size, ids.length)
      for (const input of byTag('input').filter((one) => attribute(one, 'type') !== 'hidden')) {
        const labelled = byTag('label').some((label) => attribute(label, 'for') === attribute(input, 'id'))
        const inLabel =
          input.parentNode !== null && 'tagName' in input.parentNode && input.parentNode.tagName === 'label'
        assert.ok(labelled || inLabel, `${attribute(input, 'name')} has a label`)
        assert.equal(attribute(input, 'tabindex'), undefined)
        for (const id of (attribute(input, 'aria-describedby') ?? '').split(' ').filter(Boolean)) {
          assert.ok(ids.includes(id), `${id} exists`)
        }
      }
      assert.match(page.headers['content-security-policy']!, /default-src 'none'/)
      assert.equal(page.headers['referrer-policy'], 'no-referrer')
      assert.equal(page.headers['cache-control'], 'no-store')
    })
    it('refuses links that are not good, and forms that are no forms', async () => {
      await using server = await start()
      const expired = await createRegistrationToken(server.hs, { expiresTs: 1 })
      for (const query of [
        '',
        '?token=',
        '?token=made-up',
        `?token=${expired.token}`,
        `?token=${'x'.repeat(5_000)}`,
      ]) {
        assert.equal(
          (await server.request('GET', `/_causeway/register${query}`)).status,
          403,
          query.slice(0, 30),
        )
      }
      assert.equal((await submit(server, { ...good, token: expired.token })).status, 403)
      assert.equal((await submit(server, {})).status, 403)
      const large = await submit(server, { token: 'x'.repeat(20_000) })
      assert.deepEqual([large.status, large.json()['errcode']], [413, 'M_TOO_LARGE'])
      await assert.rejects(createRegistrationToken(server.hs, { token: 'a b' }), {
        errcode: 'M_INVALID_PARAM',
      })
      await assert.rejects(createRegistrationToken(server.hs, { token: expired.token }), {
        errcode: 'M_INVALID_PARAM',
      })
    })
  })
}

describe('html', () => {
  it('escapes what is put into it, in text and in attributes', () => {
    const evil = `"><script>alert('&')</script>`
    assert.equal(
      html`<p title="${evil}">${html`<b>${1}</b>`}${false}${undefined}</p>`.text,
      '<p title="&quot;&gt;&lt;script&gt;alert(&#39;&amp;&#39;)&lt;/script&gt;"><b>1</b></p>',
    )
  })
})
