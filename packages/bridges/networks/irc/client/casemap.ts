/** How a server compares nicks and channel names. https://modern.ircdocs.horse/#casemapping-parameter */
export type CaseMapping = 'ascii' | 'rfc1459' | 'rfc1459-strict' | 'unicode'

/** The mapping a CASEMAPPING value names; unknown ones compare like `ascii`, which never joins two names wrongly. */
export function caseMappingOf(value: string): CaseMapping {
  if (value === 'rfc1459' || value === 'rfc1459-strict' || value === 'ascii') return value
  return value === 'rfc8265' || value === 'rfc7613' || value === 'precis' ? 'unicode' : 'ascii'
}

const PATTERNS = { ascii: /[A-Z]+/g, rfc1459: /[A-Z[\]\\^]+/g, 'rfc1459-strict': /[A-Z[\]\\]+/g }

/** The form of a nick or channel name under which equal names are equal strings. */
export function foldCase(mapping: CaseMapping, name: string): string {
  if (mapping === 'unicode') return name.normalize('NFKC').toLowerCase()
  // In ISO 646 of the Nordic countries [ ] \ ^ are capital letters and { } | ~ their small ones: 32 apart, as A and a.
  return name.replace(PATTERNS[mapping], (run) => {
    let out = ''
    for (let at = 0; at < run.length; at++) out += String.fromCharCode(run.charCodeAt(at) + 32)
    return out
  })
}
