"""RDS: DB proxies and their targets."""
from moto.core.responses import ActionResult
from moto.rds.exceptions import DBInstanceNotFoundError, DBProxyNotFoundFault, InvalidParameterValue, RDSClientError
from moto.rds.models import DBProxy, DBProxyTarget, DBProxyTargetGroup, RDSBackend
from moto.rds.responses import RDSResponse

import knobs
from mends import computed, mend

knobs.DEFAULTS["pending"].update(dbProxy=0)
knobs.reset()

CLIENT = {"POSTGRESQL": "POSTGRES_SCRAM_SHA_256", "MYSQL": "MYSQL_NATIVE_PASSWORD", "SQLSERVER": "SQL_SERVER_AUTHENTICATION"}
DBProxy.default_auth_scheme = "NONE"
DBProxyTargetGroup.init_query = None
DBProxyTarget.role = "READ_WRITE"


@computed(DBProxy)
def status(self):
    """DBProxy.Status is creating for the seconds in the setting pending.dbProxy, and then available."""
    return "creating" if knobs.pending("dbProxy", self.born) else self._status


def wanted(backend, name):
    if name not in backend.db_proxies:
        raise DBProxyNotFoundFault(name)
    return backend.db_proxies[name]


def entries(auth, family):
    """UserAuthConfigInfo: by default IAMAuth is DISABLED, and ClientPasswordAuthType is the engine's."""
    complete = [{name: one.get(name) for name in ("Description", "UserName", "AuthScheme", "SecretArn", "IAMAuth", "ClientPasswordAuthType")}
            for one in auth or []]
    return [{k: v for k, v in {**one, "AuthScheme": one["AuthScheme"] or "SECRETS", "IAMAuth": one["IAMAuth"] or "DISABLED",
                               "ClientPasswordAuthType": one["ClientPasswordAuthType"] or CLIENT[family]}.items() if v is not None}
            for one in complete]


@mend(RDSResponse)
def create_db_proxy(moto, self):
    """CreateDBProxy: Auth is optional when DefaultAuthScheme is IAM_AUTH. A proxy needs subnets in two Availability
    Zones."""
    scheme = self.params.get("DefaultAuthScheme") or "NONE"
    if scheme == "NONE" and not self.params.get("Auth"):
        raise InvalidParameterValue("Auth must be given when DefaultAuthScheme is NONE.")
    if "Auth" not in self.params:
        self.params["Auth"] = []
    answer = moto()
    proxy = self.backend.db_proxies[self.params["DBProxyName"]]
    proxy.default_auth_scheme, proxy.require_tls = scheme, bool(proxy.require_tls)
    proxy.auth = entries(proxy.auth, proxy.engine_family)
    return answer


def modify_db_proxy(self):
    """ModifyDBProxy keeps the parameters that are not given."""
    proxy, given = wanted(self.backend, self.params["DBProxyName"]), self.params
    if proxy.status != "available":
        raise RDSClientError("InvalidDBProxyStateFault", "The requested operation can't be performed while the proxy is in this state.")
    if given.get("Auth") is not None:
        proxy.auth = entries(given["Auth"], proxy.engine_family)
    if given.get("SecurityGroups") is not None:
        proxy.vpc_security_group_ids = list(given["SecurityGroups"])
    for parameter, attribute in (("RequireTLS", "require_tls"), ("IdleClientTimeout", "idle_client_timeout"), ("RoleArn", "role_arn"),
                                 ("DebugLogging", "debug_logging"), ("DefaultAuthScheme", "default_auth_scheme")):
        if given.get(parameter) is not None:
            setattr(proxy, attribute, given[parameter])
    return ActionResult({"DBProxy": proxy})


RDSResponse.modify_db_proxy = modify_db_proxy


@mend(RDSBackend)
def delete_db_proxy(moto, self, proxy_name):
    wanted(self, proxy_name)
    return moto(proxy_name)


@mend(RDSBackend)
def describe_db_proxy_targets(moto, self, proxy_name):
    wanted(self, proxy_name)
    return moto(proxy_name)


@mend(RDSBackend)
def describe_db_proxy_target_groups(moto, self, proxy_name):
    wanted(self, proxy_name)
    return moto(proxy_name)


@mend(RDSBackend)
def modify_db_proxy_target_group(moto, self, proxy_name, config):
    """ConnectionPoolConfiguration: a change of MaxConnectionsPercent alone sets MaxIdleConnectionsPercent to half of
    it.

    0 is a value; moto treats it as absent. InitQuery is supported.
    """
    group = wanted(self, proxy_name).proxy_target_groups["default"]
    most, idle = config.get("MaxConnectionsPercent"), config.get("MaxIdleConnectionsPercent")
    if idle is not None and int(idle) > int(most or group.max_connections):
        raise InvalidParameterValue("MaxIdleConnectionsPercent must not be greater than MaxConnectionsPercent.")
    group.max_connections = group.max_connections if most is None else most
    group.max_idle_connections = idle if idle is not None else (int(most) // 2 if most is not None else group.max_idle_connections)
    if config.get("ConnectionBorrowTimeout") is not None:
        group.borrow_timeout = config["ConnectionBorrowTimeout"]
    if config.get("SessionPinningFilters") is not None:
        group.session_pinning_filters = config["SessionPinningFilters"]
    if config.get("InitQuery") is not None:
        group.init_query = config["InitQuery"] or None
    return group


@computed(DBProxyTargetGroup)
def connection_pool_config(self):
    config = {"MaxConnectionsPercent": self.max_connections, "MaxIdleConnectionsPercent": self.max_idle_connections, "InitQuery": self.init_query,
            "ConnectionBorrowTimeout": self.borrow_timeout, "SessionPinningFilters": list(self.session_pinning_filters)}
    return {k: v for k, v in config.items() if v is not None}


@mend(RDSBackend)
def register_db_proxy_targets(moto, self, db_proxy_name, target_group_name, db_cluster_identifiers, db_instance_identifiers):
    """RegisterDBProxyTargets: an unknown DB instance gives DBInstanceNotFound.

    A proxy has one DB instance as its target. Another one gives DBProxyTargetAlreadyRegisteredFault.
    """
    group = wanted(self, db_proxy_name).proxy_target_groups["default"]
    for name in db_instance_identifiers:
        if name not in self.databases:
            raise DBInstanceNotFoundError(name)
    if self.db_proxies[db_proxy_name].status != "available":
        raise RDSClientError("InvalidDBProxyStateFault", "The requested operation can't be performed while the proxy is in this state.")
    if group.targets:
        raise RDSClientError("DBProxyTargetAlreadyRegisteredFault", "The proxy is already associated with a target.")
    return moto(db_proxy_name, target_group_name, db_cluster_identifiers, db_instance_identifiers)


@mend(RDSBackend)
def deregister_db_proxy_targets(moto, self, db_proxy_name, target_group_name, db_cluster_identifiers, db_instance_identifiers):
    """DeregisterDBProxyTargets: a target that is not registered gives DBProxyTargetNotFoundFault."""
    registered = {t.rds_resource_id for t in wanted(self, db_proxy_name).proxy_target_groups["default"].targets}
    if not registered & {*db_cluster_identifiers, *db_instance_identifiers}:
        raise RDSClientError("DBProxyTargetNotFoundFault", "The specified target is not registered.")
    return moto(db_proxy_name, target_group_name, db_cluster_identifiers, db_instance_identifiers)
