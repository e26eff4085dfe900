import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sniffEncoding } from './page-charset.ts'

const latin = (text: string): Buffer => Buffer.from(text, 'latin1')

describe('what a page is written in', () => {
  it('is told by its mark, then by the header, then by the page', () => {
    const meta = latin('<html><meta charset="windows-1251">\xcf')
    const marked = Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), meta])
    assert.equal(sniffEncoding(marked, 'text/html; charset=shift_jis'), 'utf-8')
    assert.equal(sniffEncoding(Buffer.from([0xff, 0xfe, 0x3c, 0]), undefined), 'utf-16le')
    assert.equal(sniffEncoding(meta, 'text/html; charset="Shift_JIS"'), 'shift_jis')
    assert.equal(sniffEncoding(meta, 'text/html'), 'windows-1251')
    const old = '<meta http-equiv=Content-Type content="text/html; charset=EUC-KR">'
    assert.equal(sniffEncoding(latin(old), 'text/html'), 'euc-kr')
    assert.equal(sniffEncoding(latin('<?xml version="1.0" encoding="iso-8859-2"?>'), undefined), 'iso-8859-2')
  })

  it('is seen when nothing tells it, or it tells what cannot be', () => {
    assert.equal(sniffEncoding(Buffer.from('<p>schön'), undefined), 'utf-8')
    assert.equal(sniffEncoding(latin('<p>sch\xf6n'), undefined), 'windows-1252')
    assert.equal(sniffEncoding(latin('<p>sch\xf6n'), 'text/html; charset=utf-8'), 'windows-1252')
    assert.equal(sniffEncoding(latin('<meta charset=utf-16le>'), undefined), 'utf-8')
    assert.equal(sniffEncoding(Buffer.from('<p>schön'), 'text/html; charset=nonsense'), 'utf-8')
    // Such labels exist, and stand for no encoding that anybody should read.
    assert.equal(sniffEncoding(Buffer.from('x'), 'text/html; charset=iso-2022-kr'), 'utf-8')
    assert.equal(sniffEncoding(Buffer.from('schö').subarray(0, 5), undefined), 'utf-8')
  })
})
