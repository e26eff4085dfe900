import assert from 'node:assert/strict'
import { test } from 'node:test'
import { toPlain } from '../../formatting/to-plain.ts'
import { fromMatrixHtml } from '../../formatting/from-matrix-html.ts'
import { docFromText } from '../../formatting/tree.ts'
import { excerptOf, reactionFallback, replyFallback } from './fallbacks.ts'
import { renderForIrc } from './to-irc.ts'

const reply = (html: string, text?: string): string =>
  toPlain(
    replyFallback(
      fromMatrixHtml(html),
      { nick: 'al', ...(text !== undefined && { text }) },
      '@al:example.org',
    ),
  )

test('a reply calls the person by nick, with the first words of what they said', () => {
  assert.equal(reply('yes'), 'al: yes')
  assert.equal(reply('yes', 'shall we meet?'), 'al: (re “shall we meet?”) yes')
  assert.equal(toPlain(replyFallback(docFromText('yes'), { nick: 'al' })), 'al: yes')
})

test('a reply that already addresses somebody is not addressed twice', () => {
  const pill = '<a href="https://matrix.to/#/@al:example.org">al</a>'
  assert.equal(reply(`${pill}: yes`, 'well?'), 'al: (re “well?”) yes')
  assert.equal(reply(`${pill} <b>yes</b>`), 'al: yes')
})

test('a reply that begins with a code block or quote has its address in a line before', () => {
  const doc = replyFallback(fromMatrixHtml('<pre>x</pre>'), { nick: 'al', text: 'how?' })
  const lines = renderForIrc(doc, { budgetBytes: 400, maxLines: 5 })
  assert.deepEqual(lines, { kind: 'lines', lines: ['al: (re “how?”)', '\x11x'] })
})

test('a reaction reads as an action', () => {
  assert.equal(reactionFallback('👍', { nick: 'al', text: 'done!' }), 'reacted 👍 to al: “done!”')
  assert.equal(reactionFallback('a\r\nQUIT', { nick: 'al' }), 'reacted a  QUIT to al')
})

test('excerpts are one line, cut at a word', () => {
  assert.equal(excerptOf('one\ntwo'), 'one two')
  assert.equal(
    excerptOf('some words that go on and on and on for ever'),
    'some words that go on and on and on…',
  )
  assert.equal(excerptOf(undefined), '')
})
