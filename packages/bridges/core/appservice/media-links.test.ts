import assert from 'node:assert/strict'
import { test } from 'node:test'
import { formatMediaLink, mediaLinkKey, parseMediaLink } from './media-links.ts'

const key = mediaLinkKey('a secret')
const now = 1_800_000_000_000

test('a link opens its file until it expires', () => {
  const path = formatMediaLink(key, 'mxc://example.org:8448/AbC_-9', now + 60_000)!
  assert.deepEqual(parseMediaLink(key, path, now), { serverName: 'example.org:8448', mediaId: 'AbC_-9' })
  assert.equal(parseMediaLink(key, path, now + 61_000), undefined)
})

test('nothing of a link can be changed, and only we make them', () => {
  const path = formatMediaLink(key, 'mxc://example.org/abc', now + 60_000)!
  for (let at = '/_causeway/media/'.length; at < path.length; at++) {
    const changed = path.slice(0, at) + (path[at] === 'x' ? 'y' : 'x') + path.slice(at + 1)
    assert.equal(parseMediaLink(key, changed, now), undefined, changed)
  }
  assert.equal(parseMediaLink(mediaLinkKey('another'), path, now), undefined)
  for (const odd of ['', '/', '/_causeway/media/', '/_causeway/media/../../etc/passwd', `${path}/x`])
    assert.equal(parseMediaLink(key, odd, now), undefined)
})

test('what is no file’s address gets no link', () => {
  for (const odd of ['https://example.org/x', 'mxc://', 'mxc://a/b/c', 'mxc://a/../b', 'mxc://a /b'])
    assert.equal(formatMediaLink(key, odd, now), undefined)
})
