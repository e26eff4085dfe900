import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { leastCpuMs } from '@causeway/testkit/cpu-time.ts'
import { editAsCorrection } from './correction.ts'
import { graphemes, isSingleEmoji, reactionKey, truncateGraphemes } from './emoji.ts'
import { linkify } from './linkify.ts'
import { flattenInlines, nestRuns } from './runs.ts'
import { hostileDoc } from './doc-arbitraries-suite.ts'
import { normalizeDoc } from './normalize.ts'
import { toPlain } from './to-plain.ts'
import { mentionsOf, type Doc } from './tree.ts'

const urlsOf = (text: string): string[] =>
  linkify(text)
    .filter((part) => part.isUrl)
    .map((part) => part.text)

test('links end before the punctuation of the sentence around them', () => {
  assert.deepEqual(
    urlsOf('see https://osm.example/way/1, (http://x.example/a_(b)) and "ftp://f.example/".'),
    ['https://osm.example/way/1', 'http://x.example/a_(b)', 'ftp://f.example/'],
  )
  assert.deepEqual(urlsOf('xhttps://no.example https:// javascript:alert(1) mailto:a@b.example!'), [
    'mailto:a@b.example',
  ])
  assert.deepEqual(urlsOf('https://de.example/wiki/Straße。 http://[::1]:8080/'), [
    'https://de.example/wiki/Straße',
    'http://[::1]:8080/',
  ])
})

test('the parts of any text add up to it', () => {
  const soup = fc.array(
    fc.oneof(fc.constantFrom('https://', 'a.b', ')', '(', '.', ' ', 'mailto:', '\x03'), fc.string()),
  )
  fc.assert(
    fc.property(soup, (words) => {
      const text = words.join('')
      const parts = linkify(text)
      assert.equal(parts.map((part) => part.text).join(''), text)
    }),
  )
})

test('finding links in a million hostile characters takes less than a second', () => {
  for (const part of ['https://', 'http://a.b ', 'https://x)', 'mailto:', '://', 'h', '((((']) {
    const took = leastCpuMs(1000, () => {
      linkify(part.repeat(1_000_000 / part.length))
      linkify(`https://x${part.repeat(1_000_000 / part.length)}`)
    })
    assert.ok(took < 1000, `${part} took ${took.toFixed()} ms`)
  }
})

test('graphemes are what a reader calls characters, and truncation respects them', () => {
  assert.deepEqual([...graphemes('e\u0301👩‍👩‍👧x')], ['e\u0301', '👩‍👩‍👧', 'x'])
  assert.equal(truncateGraphemes('👩‍👩‍👧👩‍👩‍👧👩‍👩‍👧', 2), '👩‍👩‍👧…')
  assert.equal(truncateGraphemes('ab cd', 4), 'ab…')
  assert.equal(truncateGraphemes('abcd', 4), 'abcd')
})

test('one emoji is told from text and from several, with and without its variation selector', () => {
  for (const emoji of ['👍', '👍🏽', '❤️', '❤', '🇩🇪', '👩‍👩‍👧', '1️⃣'])
    assert.equal(isSingleEmoji(emoji), true, emoji)
  for (const text of ['', 'a', '1', '👍👍', ':+1:', '👍 ']) assert.equal(isSingleEmoji(text), false, text)
  assert.equal(reactionKey('❤️'), reactionKey('❤'))
})

test('an edit of one word is told as a substitution', () => {
  assert.equal(editAsCorrection('I saw teh big cat yesterday', 'I saw the big cat yesterday'), 's/teh/the/')
  assert.equal(
    editAsCorrection('we should go home before it rains', 'we should go back home before it rains'),
    's/go/go back/',
  )
  assert.equal(
    editAsCorrection('this is very very nice of you all', 'this is very nice of you all'),
    's/very very/very/',
  )
  assert.equal(
    editAsCorrection('look at /maps/a/b in the evening please', 'look at /maps/a/c in the evening please'),
    's|/maps/a/b|/maps/a/c|',
  )
})

test('a substitution names enough words to be unmistakable', () => {
  assert.equal(
    editAsCorrection('the cat and the dog and the cow slept', 'the cat and the dog and a cow slept'),
    's/dog and the/dog and a/',
  )
})

test('larger edits repeat the changed sentence, short texts the whole', () => {
  assert.equal(
    editAsCorrection(
      'First stays. Second was quite wrong here. Third stays.',
      'First stays. Nothing of the other is left. Third stays.',
    ),
    '* Nothing of the other is left.',
  )
  assert.equal(editAsCorrection('teh', 'the'), '* the')
  assert.equal(editAsCorrection('helo world', 'hello world'), '* hello world')
})

test('edits nobody would want to hear of are silent', () => {
  assert.equal(editAsCorrection('hello there', 'Hello  there.'), undefined)
  assert.equal(editAsCorrection('same', 'same'), undefined)
  assert.equal(editAsCorrection('gone', ''), undefined)
})

test('a correction is one line and never longer than the new text with its star', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (before, after) => {
      const correction = editAsCorrection(before, after)
      if (correction === undefined) return
      assert.doesNotMatch(correction, /[\r\n]/)
      assert.ok(correction.length <= after.length + 2)
    }),
  )
})

test('corrections of a million characters take less than a second', () => {
  for (const part of ['a ', 'a. ', '\n', '. ', 'x', '/ | # ']) {
    const long = part.repeat(1_000_000 / part.length)
    const took = leastCpuMs(2000, () => {
      editAsCorrection(long, `b${long}`)
      editAsCorrection(long, `${long}b c`)
    })
    assert.ok(took < 2000, `${part} took ${took.toFixed()} ms`)
  }
})

test('flat runs and nested inline text say the same', () => {
  fc.assert(
    fc.property(hostileDoc, (doc) => {
      for (const block of normalizeDoc(doc).blocks) {
        if (block.type !== 'paragraph') continue
        const runs = flattenInlines(block.children)
        assert.deepEqual(flattenInlines(nestRuns(runs)), runs)
      }
    }),
  )
})

test('plain text keeps quotes, lists, tables and link targets readable', () => {
  const link: Doc = {
    blocks: [
      { type: 'quote', blocks: [{ type: 'paragraph', children: [{ type: 'text', text: 'q' }] }] },
      {
        type: 'paragraph',
        children: [{ type: 'link', url: 'https://x.example/', children: [{ type: 'text', text: 'X' }] }],
      },
      {
        type: 'table',
        headerRows: 0,
        rows: [[[{ type: 'text', text: 'a' }], [{ type: 'text', text: 'b' }]]],
      },
    ],
  }
  assert.equal(toPlain(link), '> q\n\nX (https://x.example/)\n\na | b')
})

test('people are mentioned once each, in order', () => {
  const person = (userId: string) => ({
    type: 'mention' as const,
    target: { kind: 'person' as const, userId },
    label: 'x',
  })
  const doc: Doc = {
    blocks: [
      {
        type: 'paragraph',
        children: [person('@b:x.y'), { type: 'strong', children: [person('@a:x.y')] }, person('@b:x.y')],
      },
    ],
  }
  assert.deepEqual(mentionsOf(doc), { user_ids: ['@b:x.y', '@a:x.y'] })
})
