import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { sha256 } from '../crypto/sha256.ts'
import { createCode, isCode } from './code.ts'

/** Chance that draws these numbers of 32 bits, one after the other. */
function drawing(...numbers: number[]) {
  const left = [...numbers]
  return {
    bytes: (): Uint8Array => {
      const bytes = new Uint8Array(4)
      new DataView(bytes.buffer).setUint32(0, left.shift()!)
      return bytes
    },
  }
}

describe('a code', () => {
  it('has six digits, and what would make some likelier is drawn again', () => {
    assert.equal(createCode(drawing(0)), '000000')
    assert.equal(createCode(drawing(12_000_345)), '000345')
    assert.equal(createCode(drawing(4_293_999_999)), '999999')
    assert.equal(createCode(drawing(4_294_000_000, 4_294_967_295, 7)), '000007')
  })

  it('is known by its hash, with the gaps that people type', () => {
    const hash = sha256('012345')
    for (const typed of ['012345', ' 012 345\n', '012-345']) assert.ok(isCode(typed, hash), typed)
    for (const typed of ['', '12345', '012346', '0123450', hash]) assert.ok(!isCode(typed, hash), typed)
    assert.ok(!isCode('012345', 'short'))
  })
})
