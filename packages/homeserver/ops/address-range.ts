import { isIP, type BlockList } from 'node:net'

/**
 * Adds an address or a CIDR range (10.0.0.0/8) to a list.
 * @throws TypeError, RangeError for what is neither
 */
export function addAddressRange(to: BlockList, range: string): void {
  const [address = '', prefix] = range.split('/')
  const family = isIP(address)
  if (family === 0) throw new TypeError(`"${range}" is no IP address or range such as 10.0.0.0/8`)
  const kind = family === 6 ? 'ipv6' : 'ipv4'
  if (prefix === undefined) to.addAddress(address, kind)
  else to.addSubnet(address, Number(prefix), kind)
}
