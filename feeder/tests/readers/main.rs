//! Both readers against servers that answer as real ones did (`fixtures/`), and as no real one does on request.

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod kubernetes;
#[cfg(test)]
mod offer;
#[cfg(test)]
mod openstack;
#[cfg(test)]
mod openstack_faults;
#[cfg(test)]
mod openstack_login;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tokens;
