import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { parseRobots } from './robots.ts'

describe('robots.txt', () => {
  it('decides by the longest rule of the group that means us', () => {
    const text = `User-agent: other\nDisallow: /\n\nUser-agent: *\nDisallow: /a # why\nAllow: /a/b\r\nDisallow:\n`
    const may = parseRobots(text)
    assert.deepEqual(['/', '/a', '/abc', '/a/b', '/a/bc', '/b/a'].map(may), [
      true,
      false,
      false,
      true,
      true,
      true,
    ])
    const ours = parseRobots(`${text}\nUser-Agent: Causeway\nUser-agent: another\nDisallow: /b`)
    assert.deepEqual(['/a', '/b'].map(ours), [true, false])
  })

  it('knows * and $', () => {
    const may = parseRobots(
      'user-agent: *\ndisallow: /*.pdf$\ndisallow: /x*y*z\nallow: /exact$\ndisallow: /exact',
    )
    assert.deepEqual(
      ['/a.pdf', '/a.pdf?x', '/x-y-z-', '/xz', '/exact', '/exact/more', '/.pdf', '/pdf'].map(may),
      [false, true, false, true, true, false, false, true],
    )
    assert.equal(
      parseRobots(`user-agent: *\ndisallow: /${'*a'.repeat(5_000)}$`)(`/${'a'.repeat(2_000)}`),
      true,
    )
  })

  it('allows everything where it says nothing', () => {
    for (const text of ['', 'garbage', 'disallow: /', 'user-agent: *', '<html>'])
      assert.equal(parseRobots(text)('/'), true)
  })
})
