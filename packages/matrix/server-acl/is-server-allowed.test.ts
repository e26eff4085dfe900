import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { ServerName } from '../ids/ids.ts'
import { isServerAllowed } from './is-server-allowed.ts'

const allowed = (content: object | undefined, name: string): boolean =>
  isServerAllowed(content, name as ServerName)

test('a room without an ACL admits every server, one without an allow list none', () => {
  assert.ok(allowed(undefined, 'example.org'))
  assert.ok(!allowed({}, 'example.org'))
  assert.ok(!allowed({ allow: 'example.org' }, 'example.org'))
})

test('deny goes before allow, case and port do not matter', () => {
  const acl = { allow: ['*'], deny: ['Evil.com', '*.evil.com', 'b?d.org'] }
  for (const name of ['evil.com', 'EVIL.com:8448', 'a.b.evil.com:1', 'bad.org'])
    assert.ok(!allowed(acl, name), name)
  for (const name of ['notevil.com', 'evil.com.org', 'bd.org', '127.0.0.1:80'])
    assert.ok(allowed(acl, name), name)
})

test('only listed servers are admitted', () => {
  const acl = { allow: ['good.org', '*.good.org'] }
  assert.ok(allowed(acl, 'good.org:443') && allowed(acl, 'a.good.org'))
  assert.ok(!allowed(acl, 'good.org.evil.com') && !allowed(acl, 'other.org'))
})

test('IP literals are refused only by allow_ip_literals: false', () => {
  const literals = ['1.2.3.4', '1.2.3.4:8448', '[::1]', '[2001:db8::1]:8448']
  for (const name of literals) {
    assert.ok(!allowed({ allow: ['*'], allow_ip_literals: false }, name), name)
    assert.ok(allowed({ allow: ['*'], allow_ip_literals: 'false' }, name), name)
    assert.ok(allowed({ allow: ['*'] }, name), name)
  }
  assert.ok(allowed({ allow: ['*'], allow_ip_literals: false }, '1.2.3.4.example.org'))
  assert.ok(!allowed({ allow: ['*'], deny: ['[::1]'] }, '[::1]:8448'))
})

test('any content gives an answer', () => {
  fc.assert(
    fc.property(fc.object(), fc.domain(), (content, name) => typeof allowed(content, name) === 'boolean'),
  )
  assert.ok(!allowed({ allow: ['*'], deny: [`${'*'.repeat(5000)}evil.com`, 3, null] }, 'evil.com'))
})
