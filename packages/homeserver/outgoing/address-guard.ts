import { BlockList, isIP } from 'node:net'
import { addAddressRange } from '../ops/address-range.ts'

/**
 * Says which addresses may be connected to when a stranger has named the host: with a name of their own that
 * resolves into our network, anybody could otherwise make the server send requests to what stands behind its
 * firewall (server-side request forgery).
 */
export interface AddressGuard {
  /** Whether a connection to this IP address may be made; false for what is no IP address. */
  allows(address: string): boolean
}

/** IPv4 that is not of the public internet. https://www.iana.org/assignments/iana-ipv4-special-registry */
const PRIVATE_V4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
/** All public IPv6 addresses are in here; https://www.iana.org/assignments/ipv6-address-space */
const GLOBAL_V6 = '2000::/3'
/** What of it is for documentation, benchmarks, and Teredo, which carries an IPv4 address of its own. */
const PRIVATE_V6 = ['2001::/32', '2001:2::/48', '2001:10::/28', '2001:20::/28', '2001:db8::/32', '3fff::/20']

function listOf(ranges: readonly string[]): BlockList {
  const list = new BlockList()
  for (const range of ranges) addAddressRange(list, range)
  return list
}

const privateV4 = listOf(PRIVATE_V4)
const privateV6 = listOf(PRIVATE_V6)
const globalV6 = listOf([GLOBAL_V6])

/** The eight 16-bit groups of an IPv6 address, which must be one. */
function groupsOf(address: string): number[] {
  const [plain = ''] = address.split('%', 1)
  const embedded = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(plain)
  const text =
    embedded === null
      ? plain
      : `${embedded[1]}${((Number(embedded[2]) << 8) | Number(embedded[3])).toString(16)}:${((Number(embedded[4]) << 8) | Number(embedded[5])).toString(16)}`
  const [head = '', tail] = text.split('::')
  const read = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16))
  const left = read(head)
  if (tail === undefined) return left
  const right = read(tail)
  return [...left, ...Array.from({ length: 8 - left.length - right.length }, () => 0), ...right]
}

const toV4 = (high: number, low: number): string =>
  [high >> 8, high & 255, low >> 8, low & 255].map(String).join('.')

/**
 * The IPv4 address that an IPv6 address stands for: mapped (::ffff:0:0/96), by NAT64 (64:ff9b::/96) or 6to4
 * (2002::/16). Such an address leads wherever the IPv4 address leads.
 */
function embeddedV4(address: string): string | undefined {
  const groups = groupsOf(address)
  const [first, second, , , , sixth, seventh = 0, eighth = 0] = groups
  const zeros = (from: number, to: number): boolean => groups.slice(from, to).every((group) => group === 0)
  if (zeros(0, 5) && sixth === 0xffff) return toV4(seventh, eighth)
  if (first === 0x64 && second === 0xff9b && zeros(2, 6)) return toV4(seventh, eighth)
  if (first === 0x2002) return toV4(second ?? 0, groups[2] ?? 0)
  return undefined
}

function isPublic(address: string, family: number): boolean {
  if (family === 4) return !privateV4.check(address, 'ipv4')
  return globalV6.check(address, 'ipv6') && !privateV6.check(address, 'ipv6')
}

/** @param allowed ranges that may be connected to although they are private */
export function createAddressGuard(allowed: readonly string[]): AddressGuard {
  const exceptions = listOf(allowed)
  const allows = (address: string): boolean => {
    const family = isIP(address)
    if (family === 0) return false
    if (exceptions.check(address, family === 6 ? 'ipv6' : 'ipv4')) return true
    const embedded = family === 6 ? embeddedV4(address) : undefined
    return embedded === undefined ? isPublic(address, family) : allows(embedded)
  }
  return { allows }
}
