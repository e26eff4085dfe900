import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { isServerName } from '@causeway/matrix/ids/server-name.ts'
import { authorizationHeaders, parseXMatrix } from './x-matrix.ts'

const whole = { origin: 'a.test', destination: 'b.test:1', keyId: 'ed25519:k', signature: 'ab+/cd' }

describe('an X-Matrix header', () => {
  it('is read in every form that the specification allows', () => {
    for (const header of [
      'X-Matrix origin="a.test",destination="b.test:1",key="ed25519:k",sig="ab+/cd"',
      'x-MATRIX   sig="ab+/cd" , KEY=ed25519:k,\tdestination=b.test:1 ,Origin=a.test',
      'X-Matrix origin=a.test,key="ed25519:k",destination="b.test:1",sig=ab+/cd',
      'X-Matrix origin=a.test,key="ed25519:k",destination="b.test:1",signature="ab+/cd"',
      'X-Matrix origin="a.te\\st",key="ed25519\\:k",destination="b.test:1",sig="ab+/cd",unknown="a,b\\"c=",other=1',
      'X-Matrix origin = a.test , key = "ed25519:k",,destination="b.test:1",sig="ab+/cd",',
      '  X-Matrix origin="a.test",destination="b.test:1",key="ed25519:k",sig="ab+/cd"  ',
    ]) {
      const read = parseXMatrix(header)
      assert.deepEqual(read, whole, header)
    }
    const without = parseXMatrix('X-Matrix origin=[::1]:8448,key="ed25519:k",sig="x"')
    assert.deepEqual(without, {
      origin: '[::1]:8448',
      destination: undefined,
      keyId: 'ed25519:k',
      signature: 'x',
    })
  })

  it('is nothing when it is another scheme, lacks something, or can be read in two ways', () => {
    for (const header of [
      '',
      'Bearer abc',
      'X-Matrix',
      'X-Matrix ',
      'X-Matrixorigin=a.test,key=k,sig=s',
      'X-Matrix origin=a.test,key=k',
      'X-Matrix origin=a.test,sig=s',
      'X-Matrix key=k,sig=s',
      'X-Matrix origin="a test",key=k,sig=s',
      'X-Matrix origin="",key=k,sig=s',
      'X-Matrix origin=a.test,origin=b.test,key=k,sig=s',
      'X-Matrix origin=a.test,ORIGIN=a.test,key=k,sig=s',
      'X-Matrix origin=a.test,key=k,sig="s',
      'X-Matrix origin=a.test key=k sig=s',
      'X-Matrix origin=a.test,key=k,sig=s,destination=',
      'X-Matrix origin=a.test,key=k,sig=s,destination="not a name"',
      'X-Matrix ="a.test",key=k,sig=s',
    ]) {
      assert.equal(parseXMatrix(header), undefined, header)
    }
  })

  it('never makes anything but a name and text of whatever comes', () => {
    const name = fc.constantFrom('origin', 'ORIGIN', 'destination', 'key', 'sig', 'signature', 'x', '')
    const value = fc.oneof(
      fc.constantFrom('a.test', '"a.test"', '"a\\"b"', '[::1]', 'ed25519:k', '"', '\\', ',', '=', ' '),
      fc.string({ unit: 'binary', maxLength: 20 }),
    )
    const pairs = fc.array(
      fc.tuple(name, fc.constantFrom('=', ' = ', ''), value, fc.constantFrom(',', ' , ', '', ' ')),
    )
    const header = pairs.map((list) => `X-Matrix ${list.flat().join('')}`)
    fc.assert(
      fc.property(fc.oneof(header, fc.string({ unit: 'binary' })), (text) => {
        const read = parseXMatrix(text)
        if (read === undefined) return
        assert.ok(isServerName(read.origin))
        assert.ok(read.destination === undefined || isServerName(read.destination))
        assert.equal(typeof read.keyId + typeof read.signature, 'stringstring')
      }),
    )
  })

  it('takes no longer for what is long', () => {
    const started = performance.now()
    for (const text of [
      `X-Matrix ${'a=b,'.repeat(8_000)}`,
      `X-Matrix a="${'\\'.repeat(32_000)}`,
      `X-Matrix a=${' '.repeat(32_000)}x y`,
      `X-Matrix a=b${' ,'.repeat(16_000)}!`,
      `X-Matrix${' '.repeat(32_000)}`,
    ]) {
      parseXMatrix(text)
    }
    assert.ok(performance.now() - started < 1_000)
  })

  it('may come several times', () => {
    const rawHeaders = ['Host', 'x', 'Authorization', 'one', 'AUTHORIZATION', 'two']
    assert.deepEqual(authorizationHeaders({ rawHeaders, headers: { authorization: 'one' } }), ['one', 'two'])
    assert.deepEqual(authorizationHeaders({ rawHeaders: [], headers: { authorization: 'one' } }), ['one'])
    const many = Array.from({ length: 100 }, () => ['authorization', 'x']).flat()
    assert.equal(authorizationHeaders({ rawHeaders: many, headers: {} }).length, 8)
  })
})
