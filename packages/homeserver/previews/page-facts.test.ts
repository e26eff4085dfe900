import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { buildPreview, findImageUrl } from './build-preview.ts'
import { parseOembed } from './oembed.ts'
import { createPageReader, type PageFacts } from './page-facts.ts'

/** What markup is made of, and halves of letters. */
const NOISE = fc.constantFrom(
  ...['<', '>', '&', '"', "'", '/', '!', '-', '=', ';', ' ', '\0', 'a', 'é', '😀', '\ud800', '\udc00'],
  ...['<p', '</title', '<!--', '&#x', '<svg', '<meta ', '<script>'],
)

function read(html: string, size = html.length): PageFacts {
  const reader = createPageReader()
  for (let at = 0; at < html.length; at += size) if (!reader.write(html.slice(at, at + size))) break
  return reader.end()
}

const WORDS = 'These are more than forty characters, which is what makes a paragraph worth its room.'
const page = new URL('https://site.test/a/b')

describe('a page', () => {
  it('gives its title and description where it has no Open Graph data', () => {
    const facts = read(
      `<html><head><title> A &amp; B\n <b>c</title><meta name="Description" content="What it is about"></head>`,
    )
    assert.deepEqual(buildPreview(facts, undefined), {
      'og:title': 'A & B <b>c',
      'og:description': 'What it is about',
    })
  })

  it('gives its first paragraphs where it has no description', () => {
    const facts = read(
      `<title>T</title><body><script>var a = "<p>${WORDS}</p>"</script><style>p{}</style>
       <p>short<p>${WORDS} <b>And</b> this<script>no()</script>.<div>${WORDS}</div><p>${WORDS}</p>`,
    )
    assert.equal(buildPreview(facts, undefined)['og:description'], `${WORDS} And this.\n\n${WORDS}`)
  })

  it('prefers Open Graph to Twitter cards, and those to the rest', () => {
    const twitter = '<meta name=twitter:title content=T><meta name=twitter:image content=/t.png>'
    const og = '<meta property=og:title content=O><meta property=og:title content=second>'
    const facts = read(`<title>plain</title>${twitter}${og}<meta name=og:site_name content=S>`)
    assert.deepEqual(buildPreview(facts, undefined), { 'og:title': 'O', 'og:site_name': 'S' })
    assert.equal(findImageUrl(facts, undefined, page)?.href, 'https://site.test/t.png')
    assert.equal(buildPreview(read(`<title>plain</title>${twitter}`), undefined)['og:title'], 'T')
  })

  it('takes addresses of pictures from its base, and none that are no web addresses', () => {
    const image = (html: string): string | undefined => findImageUrl(read(html), undefined, page)?.href
    const meta = '<meta property=og:image content="c.png">'
    assert.equal(image(meta), 'https://site.test/a/c.png')
    assert.equal(image(`<base href="http://other.test/d/">${meta}`), 'http://other.test/d/c.png')
    assert.equal(
      image('<meta property=og:image content="data:image/png;base64,AA"><link rel=image_src href=e.png>'),
      'https://site.test/a/e.png',
    )
    assert.equal(image('<meta property=og:image content="file:///etc/passwd">'), undefined)
    assert.equal(image('<meta property=og:image content="http://a:b@c.test/x.png">'), undefined)
  })

  it('does not take the title of a drawing for its own', () => {
    const facts = read(`<svg><title>icon</title></svg><title>page</title>`)
    assert.equal(facts.title, 'page')
    assert.equal(read(`<svg><title>icon</title><p>x</p><title>page</title>`).title, 'page')
  })

  it('is read no further than it can tell something', () => {
    const reader = createPageReader()
    assert.equal(reader.write('<head><title>T</title>'), true)
    assert.equal(reader.write('<meta name=description content=D>'), true)
    assert.equal(reader.write('</head>'), false)
  })

  it('says the same in whatever pieces it comes', () => {
    const html = `<head><title>Tïtle &amp; more</title><meta property="og:type" content='a "b" &lt;'>
      <script>if (a < b) "</p>"</script><link rel="alternate" type="application/json+oembed" href="/o?a&amp;b"></head>
      <body><p>${WORDS}</p><!-- <p>${WORDS}</p> --><p>${WORDS}`
    const whole = read(html)
    assert.equal(whole.oembed, '/o?a&b')
    fc.assert(
      fc.property(fc.integer({ min: 1, max: html.length }), (size) => {
        assert.deepEqual(read(html, size), whole)
      }),
      { numRuns: 60 },
    )
  })

  it('keeps within bounds whatever it says', () => {
    const long = 'x'.repeat(100_000)
    const many = Array.from(
      { length: 5_000 },
      (_none, n) => `<meta property="og:a${n}" content="${long.slice(0, 50)}">`,
    )
    const facts = read(`<title>${long}</title><meta name=description content="${long}">${many.join('')}`)
    const preview = buildPreview(facts, undefined)
    assert.ok(Object.keys(preview).length <= 62)
    assert.ok(JSON.stringify(preview).length < 20_000)
    assert.equal((preview['og:title'] as string).length, 300)
    fc.assert(
      fc.property(fc.string({ unit: NOISE, maxLength: 300 }), (text) => {
        const noise = read(`<meta property="og:title" content="${text}"><title>${text}<p>${text}${text}`, 31)
        assert.ok(
          Object.values(buildPreview(noise, undefined)).every((value) => (value as string).isWellFormed()),
        )
      }),
    )
  })
})

describe('an oEmbed document', () => {
  it('is taken for what it is, and nothing else is', () => {
    const photo = { version: 1.0, type: 'photo', url: 'p.jpg', thumbnail_url: 't.jpg', author_name: 'A' }
    assert.deepEqual(parseOembed(JSON.stringify(photo)), {
      title: 'A',
      description: undefined,
      site: undefined,
      image: 'p.jpg',
    })
    for (const text of ['', 'null', '[]', '"x"', '{}', '{"version":"2.0"}', '['.repeat(100_000)])
      assert.equal(parseOembed(text), undefined)
    assert.equal(parseOembed('{"version":"1.0","title":{"a":1},"thumbnail_url":7}')?.title, undefined)
  })
})
