import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parseFragment, type DefaultTreeAdapterTypes } from 'parse5'
import { leastCpuMs } from '@causeway/testkit/cpu-time.ts'
import { hostileDoc, tameDoc } from './doc-arbitraries-suite.ts'
import { fromMatrixHtml, fromMatrixMessage } from './from-matrix-html.ts'
import { normalizeDoc } from './normalize.ts'
import { toMatrixHtml, toMatrixMessage } from './to-matrix-html.ts'
import { toPlain } from './to-plain.ts'
import { docFromText, type Doc, type Inline } from './tree.ts'

const text = (value: string) => ({ type: 'text' as const, text: value })
const paragraph = (...children: Inline[]): Doc => ({ blocks: [{ type: 'paragraph', children }] })

test('styles, links and mentions of Matrix HTML become a tree', () => {
  const html =
    '<a href="https://matrix.to/#/@alice:example.org">Alice</a>: <b>bold <i>both</i></b> <del>no</del> ' +
    '<a href="https://osm.example/">map</a> <code>x &lt; y</code><br>next'
  assert.deepEqual(
    fromMatrixHtml(html),
    paragraph(
      { type: 'mention', target: { kind: 'person', userId: '@alice:example.org' }, label: 'Alice' },
      text(': '),
      { type: 'strong', children: [text('bold '), { type: 'emph', children: [text('both')] }] },
      text(' '),
      { type: 'strike', children: [text('no')] },
      text(' '),
      { type: 'link', url: 'https://osm.example/', children: [text('map')] },
      text(' '),
      { type: 'code', text: 'x < y' },
      { type: 'lineBreak' },
      text('next'),
    ),
  )
})

test('matrix: links and percent-encoded matrix.to links are mentions of people, rooms and events', () => {
  const targets = (html: string) =>
    fromMatrixHtml(html)
      .blocks.flatMap((b) => (b.type === 'paragraph' ? b.children : []))
      .map((i) => i.type === 'mention' && i.target)
  assert.deepEqual(targets('<a href="matrix:u/bob:example.org">B</a>'), [
    { kind: 'person', userId: '@bob:example.org' },
  ])
  assert.deepEqual(targets('<a href="https://matrix.to/#/%40bob%3Aexample.org">B</a>'), [
    { kind: 'person', userId: '@bob:example.org' },
  ])
  assert.deepEqual(targets('<a href="matrix:roomid/abc:example.org/e/ev?via=x.org">B</a>'), [
    { kind: 'room', room: '!abc:example.org', eventId: '$ev' },
  ])
  assert.deepEqual(targets('<a href="https://matrix.to/#/#osm:example.org?via=example.org">B</a>'), [
    { kind: 'room', room: '#osm:example.org' },
  ])
})

test('blocks of Matrix HTML become blocks', () => {
  const doc = fromMatrixHtml(
    '<p>a</p><blockquote><p>q</p></blockquote><pre><code class="language-rust">fn x()\n  y\n</code></pre>' +
      '<ol start="3"><li>one<ul><li>in</li></ul></li><li>two</ol><hr><h2>T</h2>' +
      '<table><thead><tr><th>h</th></tr></thead><tbody><tr><td>c</td></tr></tbody></table>',
  )
  assert.deepEqual(
    doc.blocks.map((block) => block.type),
    ['paragraph', 'quote', 'code', 'list', 'rule', 'heading', 'table'],
  )
  assert.deepEqual(doc.blocks[2], { type: 'code', text: 'fn x()\n  y', language: 'rust' })
  assert.equal(toPlain(doc).includes('3. one\n   - in\n4. two'), true)
})

test('what is not on the allow-list leaves only its text, scripts and reply fallbacks nothing', () => {
  assert.deepEqual(
    fromMatrixHtml('<marquee onclick="x">a</marquee><script>b</script><style>c</style>'),
    paragraph(text('a')),
  )
  assert.deepEqual(
    fromMatrixHtml('<mx-reply><blockquote>old</blockquote></mx-reply>new'),
    paragraph(text('new')),
  )
  assert.deepEqual(fromMatrixHtml('<a href="javascript:alert(1)">x</a>'), paragraph(text('x')))
})

test('broken nesting is repaired and nesting beyond 100 levels keeps its text', () => {
  assert.deepEqual(
    fromMatrixHtml('<b>a<i>b</b>c</i>'),
    paragraph({ type: 'strong', children: [text('a'), { type: 'emph', children: [text('b')] }] }, text('c')),
  )
  assert.deepEqual(fromMatrixHtml('<p>one<p>two').blocks.length, 2)
  const deep = `${'<blockquote>'.repeat(5000)}x${'</blockquote>'.repeat(5000)}y`
  assert.match(toPlain(fromMatrixHtml(deep)), /x[^]*\ny$/)
})

test('a message falls back to its body where its HTML is absent, empty or of the wrong type', () => {
  const html = 'org.matrix.custom.html'
  assert.deepEqual(fromMatrixMessage({ body: 'plain <b>' }), docFromText('plain <b>'))
  assert.deepEqual(fromMatrixMessage({ body: 'x', format: html, formatted_body: 7 }), docFromText('x'))
  assert.deepEqual(
    fromMatrixMessage({ body: 'x', format: html, formatted_body: '<mx-reply>y</mx-reply>' }),
    docFromText('x'),
  )
  assert.deepEqual(fromMatrixMessage({ body: {}, format: null }), { blocks: [] })
  assert.deepEqual(
    fromMatrixMessage({ body: '> <@a:b.c> old\n> more\n\nnew' }, { isReply: true }),
    docFromText('new'),
  )
  assert.deepEqual(
    normalizeDoc(fromMatrixMessage({ body: '> a\nb' }, { isReply: true })),
    normalizeDoc(docFromText('> a\nb')),
  )
})

test('unformatted text is sent without HTML, and bare @room in it mentions nobody', () => {
  assert.deepEqual(toMatrixMessage(docFromText('hi @room <b>')), { body: 'hi @room <b>', 'm.mentions': {} })
  const everyone = paragraph({ type: 'mention', target: { kind: 'everyone' }, label: 'all' })
  assert.deepEqual(toMatrixMessage(everyone)['m.mentions'], { room: true })
})

test('a spoiler is hidden in the body and marked in the HTML', () => {
  const doc = paragraph(text('he '), { type: 'spoiler', reason: 'the end', children: [text('dies')] })
  const message = toMatrixMessage(doc)
  assert.equal(message.body, 'he [Spoiler for the end]')
  assert.equal(message.formatted_body, 'he <span data-mx-spoiler="the end">dies</span>')
})

test('any number of spaces survives HTML, and a lone no-break space stays one', () => {
  for (const value of ['a   b', '  lead', 'a\u00a0b']) {
    assert.deepEqual(fromMatrixHtml(toMatrixHtml(docFromText(value))), docFromText(value))
  }
})

test('parsing rendered HTML gives the same tree for every document HTML can hold', () => {
  fc.assert(
    fc.property(tameDoc, (doc) => {
      const normal = normalizeDoc(doc)
      assert.deepEqual(normalizeDoc(normal), normal)
      assert.deepEqual(fromMatrixHtml(toMatrixHtml(normal)), normal)
    }),
    { numRuns: 400 },
  )
})

test('any text stays text through HTML', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (value) => {
      fc.pre(!value.includes('\u00a0'))
      const doc = normalizeDoc(docFromText(value))
      assert.deepEqual(fromMatrixHtml(toMatrixHtml(doc)), doc)
    }),
    { numRuns: 300 },
  )
})

const TAGS = new Set(
  'del h1 h2 h3 h4 h5 h6 blockquote p a ul ol sup sub li b i u strong em s code hr br div table thead tbody tr th td caption pre span img details summary'.split(
    ' ',
  ),
)
const ATTRIBUTES: Record<string, string[]> = {
  span: ['data-mx-bg-color', 'data-mx-color', 'data-mx-spoiler', 'data-mx-maths'],
  a: ['target', 'href'],
  img: ['width', 'height', 'alt', 'title', 'src', 'data-mx-emoticon'],
  ol: ['start'],
  code: ['class'],
}

function assertAllowed(nodes: readonly DefaultTreeAdapterTypes.ChildNode[]): void {
  for (const node of nodes) {
    if (node.nodeName === '#text') continue
    assert.ok('attrs' in node, `unexpected node ${node.nodeName}`)
    assert.ok(TAGS.has(node.tagName), `tag ${node.tagName}`)
    for (const { name, value } of node.attrs) {
      assert.ok(ATTRIBUTES[node.tagName]?.includes(name), `attribute ${name} on ${node.tagName}`)
      if (name === 'href') assert.match(new URL(value).protocol, /^(https?|ftp|mailto|magnet):$/)
      if (name === 'src') assert.match(value, /^mxc:\/\//)
      if (name === 'class') assert.match(value, /^language-\S+$/)
    }
    assertAllowed(node.childNodes)
  }
}

test('HTML of any document holds only allowed tags, attributes and link targets, as a browser parses it', () => {
  fc.assert(
    fc.property(hostileDoc, (doc) => assertAllowed(parseFragment(toMatrixHtml(doc)).childNodes)),
    { numRuns: 500 },
  )
})

test('any HTML, read and written again, is safe', () => {
  const soup = fc.array(
    fc.oneof(
      fc.constantFrom(
        '<a href="',
        '">',
        '<img src=x onerror=y>',
        '<b',
        '<svg/onload=1>',
        '<p>',
        '</td>',
        '<table>',
        '&#x3c;script>',
        "<a href='data:,x'>",
        '<!--',
        ']]>',
        '<textarea>',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
    ),
    { maxLength: 30 },
  )
  fc.assert(
    fc.property(soup, (parts) => {
      const doc = fromMatrixHtml(parts.join(''))
      assertAllowed(parseFragment(toMatrixHtml(doc)).childNodes)
      assert.deepEqual(normalizeDoc(doc), doc)
    }),
    { numRuns: 500 },
  )
})

const HOSTILE_HTML: readonly ((size: number) => string)[] = [
  ...[
    '<b>',
    '<p>',
    '<li>',
    '<div><a href=x>',
    '<b><i>x</b>',
    '</b>',
    '<a a=1 ',
    '&amp',
    '&nbsp; ',
    '<table><tr><td>',
  ],
  ...[
    '<!--',
    '<br>',
    'a<br> ',
    '<script>',
    '<span data-mx-color="#ff0000">r</span>',
    '<sup>',
    '<b>x</b>',
    '\n',
  ],
]
  .map((part) => (size: number) => part.repeat(Math.floor(size / part.length)))
  .concat(
    (size) => `<b ${Array.from({ length: size / 10 }, (_, i) => `a${i}`).join(' ')}>`,
    (size) => `<pre>${'\n'.repeat(size)}`,
    (size) => `<a href="${'h'.repeat(size)}">x</a>`,
    (size) => `<b title="${'&#x'.repeat(size / 3)}">`,
  )

/** The event limit keeps real HTML to 64 KiB; the parser itself is asked for four times that. */
test('hostile HTML is read and written in linear time', () => {
  for (const make of HOSTILE_HTML) {
    const html = make(250_000)
    const took = leastCpuMs(1000, () => void toMatrixMessage(fromMatrixHtml(html)))
    assert.ok(took < 1000, `${html.slice(0, 20)}… took ${took.toFixed()} ms`)
  }
})

test('a message of a million hostile characters, as HTML or plain, takes less than a second', () => {
  for (const make of HOSTILE_HTML) {
    const html = make(1_000_000)
    const content = { body: html, format: 'org.matrix.custom.html', formatted_body: html }
    const took = leastCpuMs(1000, () => void toMatrixMessage(fromMatrixMessage(content)))
    assert.ok(took < 1000, `${html.slice(0, 20)}… took ${took.toFixed()} ms`)
  }
})
