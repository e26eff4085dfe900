import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { createAddressGuard } from './address-guard.ts'

describe('the address guard', () => {
  const strict = createAddressGuard([])

  it('lets public addresses through', () => {
    for (const address of [
      '1.1.1.1',
      '93.184.216.34',
      '172.32.0.1',
      '2606:4700::1111',
      '2a00:1450:4001::1',
    ]) {
      assert.equal(strict.allows(address), true, address)
    }
    assert.equal(strict.allows('::ffff:1.1.1.1'), true)
    assert.equal(strict.allows('64:ff9b::101:101'), true)
    assert.equal(strict.allows('2002:101:101::1'), true)
  })

  it('keeps to itself what is private, of this machine, or nowhere', () => {
    for (const address of [
      ...[
        '0.0.0.0',
        '10.1.2.3',
        '100.64.0.1',
        '127.0.0.1',
        '127.255.255.255',
        '169.254.169.254',
        '172.16.0.1',
      ],
      ...[
        '172.31.255.255',
        '192.0.0.1',
        '192.168.1.1',
        '198.18.0.1',
        '203.0.113.9',
        '224.0.0.1',
        '255.255.255.255',
      ],
      ...[
        '::',
        '::1',
        'fc00::1',
        'fd12:3456::1',
        'fe80::1',
        'fe80::1%eth0',
        'fec0::1',
        'ff02::1',
        '2001:db8::1',
      ],
      ...['100::1', '2001::1', '4000::1'],
    ]) {
      assert.equal(strict.allows(address), false, address)
    }
  })

  it('is not fooled by addresses that carry another', () => {
    for (const address of [
      ...[
        '::ffff:127.0.0.1',
        '::ffff:7f00:1',
        '::ffff:a00:1',
        '0:0:0:0:0:ffff:10.0.0.1',
        '::127.0.0.1',
        '::7f00:1',
      ],
      ...['64:ff9b::7f00:1', '64:ff9b::10.0.0.1', '64:ff9b:1::a00:1', '2002:7f00:1::', '2002:a00:1::1'],
    ]) {
      assert.equal(strict.allows(address), false, address)
    }
  })

  it('takes nothing for an address that is none', () => {
    for (const text of ['', 'localhost', '127.1', '1', '0x7f000001', '[::1]', '1.1.1.1 ', '1.1.1']) {
      assert.equal(strict.allows(text), false, text)
    }
  })

  it('makes the exceptions that the operator wants, and no others', () => {
    const some = createAddressGuard(['10.0.0.0/8', '::1', 'fd00::/8'])
    assert.equal(some.allows('10.200.0.1'), true)
    assert.equal(some.allows('::ffff:10.0.0.1'), true)
    assert.equal(some.allows('::1'), true)
    assert.equal(some.allows('fd00::5'), true)
    assert.equal(some.allows('127.0.0.1'), false)
    assert.equal(some.allows('192.168.0.1'), false)
    const all = createAddressGuard(['0.0.0.0/0', '::/0'])
    for (const address of ['127.0.0.1', '::1', 'fe80::1', '::ffff:127.0.0.1'])
      assert.equal(all.allows(address), true)
  })
})
