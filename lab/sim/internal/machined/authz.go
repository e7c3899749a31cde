// Package machined answers a node's machine API: the services talosctl calls, on top of one boot of a machine.
package machined

import "github.com/siderolabs/talos/pkg/machinery/role"

var (
	adminOnly = role.MakeSet(role.Admin)
	operators = role.MakeSet(role.Admin, role.Operator)
	readers   = role.MakeSet(role.Admin, role.Operator, role.Reader)
	backups   = role.MakeSet(role.Admin, role.Operator, role.Reader, role.EtcdBackup)
	savers    = role.MakeSet(role.Admin, role.Operator, role.EtcdBackup)
	// applicants may call; the handler itself lets readers pass only in maintenance mode.
	applicants = role.MakeSet(role.Admin, role.Reader)
	metaWrite  = role.MakeSet(role.Admin, role.MetaWriter)
)

// rules say which roles may call which method of the machine API (Talos 1.13); a method that is not here needs os:admin.
var rules = table(map[string]methods{
	"machine.MachineService": {
		{adminOnly, []string{
			"Bootstrap", "Copy", "EtcdDowngradeCancel", "EtcdDowngradeEnable", "EtcdDowngradeValidate", "EtcdForfeitLeadership",
			"EtcdLeaveCluster", "EtcdRecover", "EtcdRemoveMemberByID", "GenerateClientConfiguration", "Kubeconfig", "Read", "Reset",
			"Rollback", "Upgrade",
		}},
		{operators, []string{
			"EtcdAlarmDisarm", "EtcdDefragment", "ImagePull", "PacketCapture", "Reboot", "Restart", "ServiceRestart", "ServiceStart",
			"ServiceStop", "Shutdown",
		}},
		{readers, []string{
			"CPUFreqStats", "CPUInfo", "Containers", "DiskStats", "DiskUsage", "Dmesg", "Events", "Hostname", "ImageList", "List", "LoadAvg",
			"Logs", "LogsContainers", "Memory", "Mounts", "Netstat", "NetworkDeviceStats", "Processes", "ServiceList", "Stats",
			"SystemStat", "Version",
		}},
		{backups, []string{"EtcdAlarmList", "EtcdMemberList", "EtcdStatus"}},
		{savers, []string{"EtcdSnapshot"}},
		{applicants, []string{"ApplyConfiguration"}},
		{metaWrite, []string{"MetaDelete", "MetaWrite"}},
	},
	"cluster.ClusterService":   {{readers, []string{"HealthCheck"}}},
	"cosi.resource.State":      {{adminOnly, []string{"Create", "Destroy", "Update"}}, {readers, []string{"Get", "List", "Watch"}}},
	"inspect.InspectService":   {{readers, []string{"ControllerRuntimeDependencies"}}},
	"machine.DebugService":     {{adminOnly, []string{"ContainerRun"}}},
	"machine.ImageService":     {{adminOnly, []string{"Import", "Remove"}}, {operators, []string{"Pull"}}, {readers, []string{"List", "Verify"}}},
	"machine.LifecycleService": {{adminOnly, []string{"Install", "Upgrade"}}},
	"storage.StorageService":   {{readers, []string{"Disks"}}, {applicants, []string{"BlockDeviceWipe"}}},
	"time.TimeService":         {{readers, []string{"Time", "TimeCheck"}}},
})

type methods []struct {
	roles role.Set
	names []string
}

func table(services map[string]methods) map[string]role.Set {
	flat := map[string]role.Set{}

	for service, groups := range services {
		for _, group := range groups {
			for _, name := range group.names {
				flat["/"+service+"/"+name] = group.roles
			}
		}
	}

	return flat
}
